// Running other programs, for the tests of the sinks.
#ifndef AUTOTRACE_TESTS_SINKS_TEST_PROGRAM_H_
#define AUTOTRACE_TESTS_SINKS_TEST_PROGRAM_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/test_files.h"

namespace autotrace::test {

struct ProgramResult {
  int status = -1;     // exit status; -1 when it did not exit by itself
  std::string output;  // standard output
};

// A program that runs beside the test, with a pipe to each of its standard input and output.
class Program {
 public:
  explicit Program(const std::vector<std::string>& command);
  ~Program();  // closes its input and waits for it
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  std::string ReadLine();
  ProgramResult Wait();

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

ProgramResult RunProgram(const std::vector<std::string>& command);
// A script of this folder, with the interpreter that has the OTLP bindings.
ProgramResult RunScript(const std::string& name, std::vector<std::string> arguments);

// tests/support/otlp_receiver.py, listening.
class Receiver {
 public:
  explicit Receiver(std::vector<std::string> arguments = {});
  std::string url(const std::string& path = "/v1/traces") const;
  // Paths of the request bodies it has stored, in order.
  std::vector<std::string> bodies() const;
  // The headers of a request as the JSON it stored.
  std::string headers(int request) const;

 private:
  TemporaryFolder directory_;
  Program program_;
  std::string port_;
};

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_SINKS_TEST_PROGRAM_H_
