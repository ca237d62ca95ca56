// autotracer check-config: is this file right, and what does it come to?
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/strings.h"
#include "cli/text_format.h"
#include "filters/config_loader.h"

namespace autotrace::cli {
namespace {

std::string OriginOf(const filters::EffectiveValue& value) {
  if (value.source == filters::Source::kDefault) return "default";
  return value.origin.empty() ? "set by code" : value.origin;
}

int CheckConfig(const std::string& path) {
  const filters::LoadResult loaded = filters::LoadConfigFile(path);
  for (const std::string& warning : loaded.warnings) PrintWarning(warning);
  if (!loaded.error.empty()) {
    PrintMessage(loaded.error);
    return kExitFailed;
  }
  std::vector<std::string> settings;
  size_t width = 0;
  for (const filters::EffectiveValue& value : loaded.effective) {
    settings.push_back(Concat(value.key, ": ", Printable(value.value)));
    width = std::max(width, DisplayWidth(settings.back()));
  }
  // One long value must not push all the comments out of sight.
  constexpr size_t kWidestColumn = 48;
  width = std::min(width, kWidestColumn);
  for (size_t i = 0; i < settings.size(); ++i) {
    printf("%s  # %s\n", PadRight(settings[i], width).c_str(),
           Printable(OriginOf(loaded.effective[i])).c_str());
  }
  return kExitOk;
}

}  // namespace

void AddCheckConfigCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command =
      app->add_subcommand("check-config", "Check a configuration file, print what it comes to");
  const auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "configuration file in YAML")->type_name("")->required();
  command->footer(
      R"(Prints every setting with its value and where that comes from (the file with its line, an
environment variable, or the default); AUTOTRACE_* and OTEL_* variables win over the file. Secrets
are masked. A mistake is one line on stderr with file, line and column.

Examples:
  autotracer check-config trace.yaml && AUTOTRACE_CONFIG=trace.yaml ./my_service

Exit codes: 0 the file is right, 1 it is not or cannot be read.)");
  command->callback([file, context] { context->exit_code = CheckConfig(*file); });
}

}  // namespace autotrace::cli
