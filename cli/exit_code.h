// What the command's exit status says. `autotracer run` is the exception: it becomes the program,
// whose status is its own, and gives 126 or 127 when there was no program to become.
#ifndef AUTOTRACE_CLI_EXIT_CODE_H_
#define AUTOTRACE_CLI_EXIT_CODE_H_

namespace autotrace::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,           // the request was understood and failed, or nothing was found
  kExitUsage = 2,            // the command line was not understood
  kExitPartial = 3,          // there is a result, but parts of what was read are damaged or missing
  kExitCannotExecute = 126,  // run: the program was found but cannot be executed
  kExitNotFound = 127,       // run: there is no such program
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_EXIT_CODE_H_
