#include "cli/runtime_library.h"

#include <filesystem>
#include <vector>

#include "cli/strings.h"

namespace autotrace::cli {

namespace {

// Empty when it cannot be told.
std::string CommandFolder() {
  std::error_code error;
  const auto command = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "" : command.parent_path().string();
}

}  // namespace

std::string FindRuntimeLibrary() { return FindRuntimeLibraryFrom(CommandFolder()); }

std::string FindRuntimeLibraryFrom(const std::string& command_folder) {
  // The link's name, not what it points to: the loader knows libraries by the soname.
  const std::string library = FindBesideCommandFrom(command_folder, kRuntimeSoname);
  return library.empty() ? kRuntimeSoname : library;
}

std::string FindBesideCommand(const std::string& path) {
  return FindBesideCommandFrom(CommandFolder(), path);
}

std::string FindBesideCommandFrom(const std::string& command_folder, const std::string& path) {
  if (command_folder.empty()) return "";
  // AUTOTRACE_LIBRARY_FOLDERS: where CMake installs libraries, seen from the command.
  for (const std::string_view folder : Split(AUTOTRACE_LIBRARY_FOLDERS, ":")) {
    std::error_code error;
    const auto candidate = std::filesystem::canonical(
        std::filesystem::path(command_folder) / std::string(folder), error);
    if (error) continue;
    const auto file = candidate / path;
    if (std::filesystem::is_regular_file(file, error)) return file.string();
  }
  return "";
}

std::string PrependPreload(std::string_view library, std::string_view existing) {
  std::vector<std::string_view> libraries = {library};
  for (const std::string_view other : Split(existing, ": ")) {
    if (other != library) libraries.push_back(other);
  }
  return Join(libraries, ":");
}

}  // namespace autotrace::cli
