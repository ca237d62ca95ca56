#include "cli/compiler_plugin.h"

#include <filesystem>

#include "cli/runtime_library.h"
#include "cli/strings.h"

namespace autotrace::cli {
namespace {

std::string PathBelowLibraries(const std::string& plugin_folder) {
  return Concat("autotrace-cpp/", plugin_folder, "/autotrace.so");
}

}  // namespace

std::string PluginFolder(CompilerKind kind, std::string_view version) {
  const std::string_view major = Strip(version.substr(0, version.find('.')));
  return Concat(kind == CompilerKind::kClang ? "clang-" : "gcc-", major);
}

std::string FindPlugin(const std::string& plugin_folder) {
  return FindBesideCommand(PathBelowLibraries(plugin_folder));
}

std::string FindPluginFrom(const std::string& command_folder, const std::string& plugin_folder) {
  return FindBesideCommandFrom(command_folder, PathBelowLibraries(plugin_folder));
}

std::vector<std::string> PluginFlags(CompilerKind kind, const std::string& plugin,
                                     const HookRequest& request) {
  std::vector<std::string> flags = {Concat("-fplugin=", plugin)};
  // Clang loads it for its optimizer as well. ccache looks at what -fplugin names only.
  if (kind == CompilerKind::kClang) flags.push_back(Concat("-fpass-plugin=", plugin));
  const auto tell = [&](const std::string& argument) {
    if (kind == CompilerKind::kClang && !request.for_cmake) {
      // Where nothing but linking is done, Clang warns of the other form.
      for (const char* word : {"-Xclang", "-plugin-arg-autotrace", "-Xclang"}) {
        flags.emplace_back(word);
      }
      flags.push_back(argument);
    } else {
      flags.push_back(Concat("-fplugin-arg-autotrace-", argument));
    }
  };
  if (!request.modules.empty()) tell(Concat("modules=", Join(request.modules, ",")));
  if (!request.leaves.empty()) tell(Concat("leaves=", request.leaves));
  if (!request.profile.empty()) {
    tell(Concat("profile=", request.profile));
    tell(Concat("profile-version=", request.profile_version));
  }
  return flags;
}

}  // namespace autotrace::cli
