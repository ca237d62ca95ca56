// The options that choose functions, as `run`, `functions` and `flags` take them: patterns given
// on the command line, laid over the environment so that the one loader of configurations checks
// and merges all of it.
#ifndef AUTOTRACE_CLI_MODULE_OPTIONS_H_
#define AUTOTRACE_CLI_MODULE_OPTIONS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "filters/config_loader.h"

namespace autotrace::cli {

// Environment variables and the values that the command line gives them.
using Settings = std::map<std::string, std::string>;

// Checks a comma-separated list of patterns; an error names the wrong one.
absl::Status CheckPatterns(std::string_view list);

// The process's environment with `settings` on top. `settings` must outlive the result.
filters::Environment OverEnvironment(const Settings& settings);

// The settings for --modules, --exclude and --config; options that were not given set nothing.
Settings SettingsOf(const std::vector<std::string>& modules,
                    const std::vector<std::string>& exclude, const std::string& config_file);

// The pattern for a binary's own functions: "lib:my_service".
std::string PatternOfBinary(std::string_view path);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_MODULE_OPTIONS_H_
