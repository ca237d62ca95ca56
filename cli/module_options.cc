#include "cli/module_options.h"

#include <stdlib.h>

#include <filesystem>

#include "cli/strings.h"
#include "filters/pattern.h"

namespace autotrace::cli {

absl::Status CheckPatterns(std::string_view list) {
  for (std::string_view text : Split(list, ",")) {
    text = Strip(text);
    if (text.empty()) continue;
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

Settings SettingsOf(const std::vector<std::string>& modules,
                    const std::vector<std::string>& exclude, const std::string& config_file) {
  Settings settings;
  if (!modules.empty()) settings["AUTOTRACE_MODULES"] = Join(modules, ",");
  if (!exclude.empty()) settings["AUTOTRACE_EXCLUDE"] = Join(exclude, ",");
  if (!config_file.empty()) {
    std::error_code error;
    const auto path = std::filesystem::absolute(config_file, error);
    settings["AUTOTRACE_CONFIG"] = error ? config_file : path.string();
  }
  return settings;
}

std::string PatternOfBinary(std::string_view path) {
  return Concat("lib:", path.substr(path.rfind('/') + 1));
}

}  // namespace autotrace::cli
