// Runs programs as a shell would and keeps stdout and stderr apart; compiles small ones.
#ifndef AUTOTRACE_TESTS_CLI_COMMAND_RUNNER_H_
#define AUTOTRACE_TESTS_CLI_COMMAND_RUNNER_H_

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "tests/support/test_files.h"

namespace autotrace::cli {

struct CommandResult {
  int exit_status = -1;  // -1: ended by a signal
  int signal = 0;
  std::string output;
  std::string errors;
};

// In `folder`, where its output is kept meanwhile. No AUTOTRACE_* variable of this process reaches
// it but those in `environment`.
inline CommandResult RunCommand(const test::TemporaryFolder& folder,
                                const std::vector<std::string>& arguments,
                                const std::map<std::string, std::string>& environment = {}) {
  const std::string output = folder / ".stdout";
  const std::string errors = folder / ".stderr";
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (chdir(folder.path().c_str()) != 0 || freopen(output.c_str(), "w", stdout) == nullptr ||
        freopen(errors.c_str(), "w", stderr) == nullptr) {
      _exit(99);
    }
    for (const char* name :
         {"AUTOTRACE_DIR", "AUTOTRACE_MODULES", "AUTOTRACE_EXCLUDE", "AUTOTRACE_CONFIG",
          "AUTOTRACE_RUN", "AUTOTRACE_SUMMARY", "LD_PRELOAD", "CXX", "COLUMNS", "XDG_STATE_HOME"}) {
      unsetenv(name);
    }
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments) {
      pointers.push_back(const_cast<char*>(argument.c_str()));
    }
    pointers.push_back(nullptr);
    execvp(pointers[0], pointers.data());
    _exit(99);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CommandResult result;
  if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.output = test::ReadFile(output);
  result.errors = test::ReadFile(errors);
  return result;
}

// The command under test.
inline CommandResult RunAutotracer(const test::TemporaryFolder& folder,
                                   std::vector<std::string> arguments,
                                   const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), AUTOTRACE_TEST_COMMAND);
  return RunCommand(folder, arguments, environment);
}

// Compiles `source` to folder/name. `flags` go through a shell.
inline std::string Compile(const test::TemporaryFolder& folder, const std::string& name,
                           const std::string& source, const std::string& flags = "",
                           const std::string& compiler = AUTOTRACE_TEST_GXX) {
  const std::string file = folder.Write(name + ".cc", source);
  std::string binary = folder / name;
  const CommandResult compiled =
      RunCommand(folder, {"sh", "-c", compiler + " '" + file + "' -o '" + binary + "' " + flags});
  INFO(compiled.errors);
  REQUIRE(compiled.exit_status == 0);
  return binary;
}

}  // namespace autotrace::cli

#endif  // AUTOTRACE_TESTS_CLI_COMMAND_RUNNER_H_
