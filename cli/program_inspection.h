// Looks at a program before it is run: does it, or a library it is linked to, call the hooks, and
// would a preloaded library have any effect on it?
#ifndef AUTOTRACE_CLI_PROGRAM_INSPECTION_H_
#define AUTOTRACE_CLI_PROGRAM_INSPECTION_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace autotrace::cli {

// Where execvp would find it: `name` itself when it holds a '/', else in PATH. Empty: nowhere.
std::string FindProgram(const std::string& name);

// Does it import the hooks? False for the C library and the runtime, which define them, and for
// what is no readable ELF file.
bool CallsHooks(const std::string& path);

struct ProgramFacts {
  std::string path;    // of the program, as given
  std::string binary;  // what is executed in the end: canonical path of the program, or of its
                       // script's interpreter
  bool is_script = false;
  bool is_elf = false;
  bool is_foreign = false;        // of another machine or word size than this command
  bool is_static = false;         // no dynamic loader reads LD_PRELOAD
  bool gains_privileges = false;  // set-user-id, set-group-id, capabilities: LD_PRELOAD is ignored
  bool links_runtime = false;     // libautotrace-cpp is among its libraries already, or in it
  bool calls_hooks = false;       // itself
  bool was_compiled_with_plugin = false;          // that left hooks out
  std::vector<std::string> libraries_with_hooks;  // looked for only when it does not itself
};

// `path` as FindProgram gives it. To learn the libraries, the program's loader is started as ldd
// does it (no code of the program runs), and only when the answer is needed.
ProgramFacts InspectProgram(const std::string& path);

// Why no function of it can be recorded, and what to do, one line each; empty when there are
// functions. The first line begins with "0 instrumented functions".
std::vector<std::string> ExplainMissingFunctions(const ProgramFacts& facts);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_PROGRAM_INSPECTION_H_
