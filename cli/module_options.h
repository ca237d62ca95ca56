// The options that choose functions, as `run` and `functions` take them: patterns given on the
// command line, laid over the environment so that the one loader of configurations checks and
// merges all of it. `flags` checks its patterns here.
#ifndef AUTOTRACE_CLI_MODULE_OPTIONS_H_
#define AUTOTRACE_CLI_MODULE_OPTIONS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "filters/config_loader.h"

namespace CLI {
class App;
}

namespace autotrace::cli {

// What the options were given; empty: not given.
struct ModuleOptions {
  std::vector<std::string> modules;  // each a comma-separated list of patterns
  std::vector<std::string> exclude;  // likewise
  std::string config;                // path of a configuration file
};

// Adds --modules, --exclude and --config to a command. `default_modules` ends the help's sentence
// on what is recorded without --modules. `options` must outlive the command.
void AddModuleOptions(CLI::App* command, const std::string& default_modules,
                      ModuleOptions* options);

// Environment variables and the values that the command line gives them.
using Settings = std::map<std::string, std::string>;

// Checks a comma-separated list of patterns; an error names the wrong one.
absl::Status CheckPatterns(std::string_view list);

// The process's environment with `settings` on top. `settings` must outlive the result.
filters::Environment OverEnvironment(const Settings& settings);

// What the options set; those that were not given set nothing.
Settings SettingsOf(const ModuleOptions& options);

// The pattern for a binary's own functions: "lib:my_service".
std::string PatternOfBinary(std::string_view path);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_MODULE_OPTIONS_H_
