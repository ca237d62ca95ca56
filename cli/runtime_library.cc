#include "cli/runtime_library.h"

#include <filesystem>
#include <vector>

#include "cli/strings.h"

namespace autotrace::cli {

std::string FindRuntimeLibrary() {
  std::error_code error;
  const auto command = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? kRuntimeSoname : FindRuntimeLibraryFrom(command.parent_path().string());
}

std::string FindRuntimeLibraryFrom(const std::string& command_folder) {
  // AUTOTRACE_LIBRARY_FOLDERS: where CMake installs libraries, seen from the command.
  for (const std::string_view folder : Split(AUTOTRACE_LIBRARY_FOLDERS, ":")) {
    std::error_code error;
    const auto candidate = std::filesystem::canonical(
        std::filesystem::path(command_folder) / std::string(folder), error);
    if (error) continue;
    // The link's name, not what it points to: the loader knows libraries by the soname.
    const auto library = candidate / kRuntimeSoname;
    if (std::filesystem::is_regular_file(library, error)) return library.string();
  }
  return kRuntimeSoname;
}

std::string PrependPreload(std::string_view library, std::string_view existing) {
  std::vector<std::string_view> libraries = {library};
  for (const std::string_view other : Split(existing, ": ")) {
    if (other != library) libraries.push_back(other);
  }
  return Join(libraries, ":");
}

}  // namespace autotrace::cli
