#include "cli/module_options.h"

#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "cli/strings.h"
#include "filters/environment.h"
#include "filters/pattern.h"

namespace autotrace::cli {

void AddModuleOptions(CLI::App* command, const std::string& default_modules,
                      ModuleOptions* options) {
  command
      ->add_option(
          "--modules", options->modules,
          Concat("patterns of what to record, comma-separated; default: ", default_modules))
      ->type_name("P")
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--exclude", options->exclude, "patterns of what to leave out")
      ->type_name("P")
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--config", options->config, "configuration file")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
}

absl::Status CheckPatterns(std::string_view list) {
  for (const std::string& text : filters::SplitPatterns(list)) {
    filters::Pattern pattern;
    std::string error;
    if (!filters::Pattern::Parse(text, &pattern, &error)) {
      return absl::InvalidArgumentError(Concat("pattern ", text, ": ", error));
    }
  }
  return absl::OkStatus();
}

filters::Environment OverEnvironment(const Settings& settings) {
  return [&settings](const char* name) -> const char* {
    const auto found = settings.find(name);
    return found != settings.end() ? found->second.c_str() : getenv(name);
  };
}

Settings SettingsOf(const ModuleOptions& options) {
  Settings settings;
  if (!options.modules.empty()) settings["AUTOTRACE_MODULES"] = Join(options.modules, ",");
  if (!options.exclude.empty()) settings["AUTOTRACE_EXCLUDE"] = Join(options.exclude, ",");
  if (!options.config.empty()) {
    std::error_code error;
    const auto path = std::filesystem::absolute(options.config, error);
    settings["AUTOTRACE_CONFIG"] = error ? options.config : path.string();
  }
  return settings;
}

std::string PatternOfBinary(std::string_view path) {
  return Concat("lib:", path.substr(path.rfind('/') + 1));
}

}  // namespace autotrace::cli
