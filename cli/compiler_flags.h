// The flags that compile a program with autotrace's hooks, for build systems other than CMake.
// cmake/AutotraceInstrument.cmake gives the same ones; tests/cli compares the two.
//
// GCC puts hooks into inlined functions too, those of the standard library included, so the
// compiler's own and the standard library's header folders are excluded: never /usr/include itself,
// which would leave out every installed library. Clang cannot exclude files, and hooks in
// libstdc++'s C++20 inline functions do not even link: it gets its hooks after inlining.
#ifndef AUTOTRACE_CLI_COMPILER_FLAGS_H_
#define AUTOTRACE_CLI_COMPILER_FLAGS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace autotrace::cli {

enum class CompilerKind : uint8_t { kUnknown, kGcc, kClang };

// From what `compiler --version` prints.
CompilerKind CompilerKindOf(std::string_view version_text);

// The folders that the preprocessor searches, from what `compiler -E -v` prints, in order.
std::vector<std::string> IncludeFolders(std::string_view verbose_text);

// Of those, what is to be excluded, each with a slash at its end; made absolute and canonical, both
// spellings where they differ; without folders below others.
std::vector<std::string> StandardLibraryFolders(const std::vector<std::string>& folders);

// Asks the compiler, given as in CXX: a path or name, possibly behind others ("ccache g++-12").
absl::StatusOr<std::vector<std::string>> CompileFlags(const std::string& compiler);

// Links the runtime, whatever stands before or behind it on the command line.
std::vector<std::string> LinkFlags();

enum class FlagFormat : uint8_t { kShell, kMake, kCmake };

// One line: for a shell command, for a make variable, or a CMake list.
std::string FormatFlags(const std::vector<std::string>& flags, FlagFormat format);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_COMPILER_FLAGS_H_
