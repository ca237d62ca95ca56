// Runs a program and collects what it prints.
#ifndef AUTOTRACE_CLI_SUBPROCESS_H_
#define AUTOTRACE_CLI_SUBPROCESS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace autotrace::cli {

struct SubprocessResult {
  // As a shell gives it: exit status, or 128 + signal.
  int status = 0;
  std::string output;  // stdout and stderr, as they came
};

// `arguments[0]` is looked for in PATH. Without a shell; stdin is empty. `environment` is set on
// top of this process's own, except LD_PRELOAD, which is not passed on. NotFound when the program
// cannot be started.
absl::StatusOr<SubprocessResult> RunSubprocess(
    const std::vector<std::string>& arguments,
    const std::vector<std::pair<std::string, std::string>>& environment = {});

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_SUBPROCESS_H_
