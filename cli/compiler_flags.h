// The flags that compile a program with autotrace's hooks, for build systems other than CMake.
// cmake/AutotraceInstrument.cmake gives the same ones; tests/cli compares the two.
//
// GCC puts hooks into inlined functions too, those of the standard library included, so the
// compiler's own and the standard library's header folders are excluded: never /usr/include itself,
// which would leave out every installed library. Clang cannot exclude files, and hooks in
// libstdc++'s C++20 inline functions do not even link: without autotrace's plugin, which keeps
// hooks out of them, it gets its hooks after inlining.
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

// What is asked of the compiler plugin.
struct HookRequest {
  bool use_plugin = true;            // where there is one
  std::vector<std::string> modules;  // each a comma-separated list of patterns
  std::string leaves;                // "inline", "all", "none"; empty: the plugin's default
  std::string profile;               // path; empty: none
  std::string profile_version;       // that it has
  bool for_cmake = false;            // which drops flags that it has seen before
};

struct HookFlags {
  std::vector<std::string> flags;
  // Why they do without the plugin, for people; empty when they have it, or none was wanted.
  std::string why_no_plugin;
};

// Asks the compiler, given as in CXX: a path or name, possibly behind others ("ccache g++-12").
absl::StatusOr<HookFlags> CompileFlags(const std::string& compiler, const HookRequest& request);

// Links the runtime, whatever stands before or behind it on the command line.
std::vector<std::string> LinkFlags();

enum class FlagFormat : uint8_t { kShell, kMake, kCmake };

// One line: for a shell command, for a make variable, or a CMake list.
std::string FormatFlags(const std::vector<std::string>& flags, FlagFormat format);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_COMPILER_FLAGS_H_
