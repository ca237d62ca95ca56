// autotrace's own compiler plugin for a compiler (plugin/), where it is installed: finding it, and
// the flags that load it.
#ifndef AUTOTRACE_CLI_COMPILER_PLUGIN_H_
#define AUTOTRACE_CLI_COMPILER_PLUGIN_H_

#include <string>
#include <string_view>
#include <vector>

#include "cli/compiler_flags.h"

namespace autotrace::cli {

// "gcc-12", "clang-14", from what `compiler -dumpversion` prints ("12", "14.0.6"): the folder below
// autotrace-cpp/, beside the runtime library, in which the plugin lies.
std::string PluginFolder(CompilerKind kind, std::string_view version);

// The path of that folder's plugin; empty when it is not there.
std::string FindPlugin(const std::string& plugin_folder);
// For tests: as if the command lay in this folder.
std::string FindPluginFrom(const std::string& command_folder, const std::string& plugin_folder);

// Loads it and tells it what `request` says. -finstrument-functions is to come with them.
std::vector<std::string> PluginFlags(CompilerKind kind, const std::string& plugin,
                                     const HookRequest& request);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_COMPILER_PLUGIN_H_
