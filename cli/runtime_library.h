// Where the runtime library and the compiler plugins that belong to this command are, and
// preloading the library.
#ifndef AUTOTRACE_CLI_RUNTIME_LIBRARY_H_
#define AUTOTRACE_CLI_RUNTIME_LIBRARY_H_

#include <string>
#include <string_view>

namespace autotrace::cli {

inline constexpr char kRuntimeSoname[] = "libautotrace-cpp.so.0";

// Its absolute path: beside the installed command (../lib/<multiarch>, ../lib), or in the build
// tree (../runtime). The bare soname when it is in none of them: the loader then looks for it.
std::string FindRuntimeLibrary();
// For tests: as if the command lay in this folder.
std::string FindRuntimeLibraryFrom(const std::string& command_folder);

// A file by its path below the folder of the runtime library, which is looked for as above. Empty
// when it is in none of them.
std::string FindBesideCommand(const std::string& path);
std::string FindBesideCommandFrom(const std::string& command_folder, const std::string& path);

// The value of LD_PRELOAD with the library first, and not twice.
std::string PrependPreload(std::string_view library, std::string_view existing);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_RUNTIME_LIBRARY_H_
