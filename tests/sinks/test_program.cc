#include "tests/sinks/test_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

extern char** environ;

namespace autotrace::test {
namespace {

constexpr char kSourceDir[] = AUTOTRACE_TEST_SOURCE_DIR;

std::vector<std::string> ScriptCommand(const std::string& path,
                                       std::vector<std::string> arguments) {
  if (access(AUTOTRACE_TEST_PYTHON, X_OK) != 0) {
    throw std::runtime_error("no Python at " AUTOTRACE_TEST_PYTHON
                             ": run scripts/setup, or make a virtual environment with "
                             "tests/requirements.txt and set AUTOTRACE_TEST_PYTHON");
  }
  arguments.insert(arguments.begin(), {AUTOTRACE_TEST_PYTHON, path});
  return arguments;
}

std::vector<std::string> ReceiverCommand(const std::filesystem::path& directory,
                                         std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--dir", directory.string()});
  return ScriptCommand(std::string(kSourceDir) + "/tests/support/otlp_receiver.py",
                       std::move(arguments));
}

}  // namespace

Program::Program(const std::vector<std::string>& command) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const int error = posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  input_ = input[1];
  output_ = output[0];
  if (error != 0) {
    pid_ = -1;
    throw std::runtime_error("cannot run " + command[0]);
  }
}

Program::~Program() {
  if (pid_ != -1) Wait();
  close(output_);
}

std::string Program::ReadLine() {
  std::string line;
  char character = 0;
  while (read(output_, &character, 1) == 1 && character != '\n') line.push_back(character);
  return line;
}

ProgramResult Program::Wait() {
  close(input_);
  ProgramResult result;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(output_, buffer, sizeof(buffer))) > 0;) {
    result.output.append(buffer, static_cast<size_t>(size));
  }
  int status = 0;
  if (waitpid(pid_, &status, 0) == pid_ && WIFEXITED(status)) result.status = WEXITSTATUS(status);
  pid_ = -1;
  return result;
}

ProgramResult RunProgram(const std::vector<std::string>& command) {
  return Program(command).Wait();
}

ProgramResult RunScript(const std::string& name, std::vector<std::string> arguments) {
  return RunProgram(
      ScriptCommand(std::string(kSourceDir) + "/tests/sinks/" + name, std::move(arguments)));
}

Receiver::Receiver(std::vector<std::string> arguments)
    : program_(ReceiverCommand(directory_.path(), std::move(arguments))),
      port_(program_.ReadLine()) {
  if (port_.empty()) throw std::runtime_error("the receiver did not start");
}

std::string Receiver::url(const std::string& path) const {
  return "http://127.0.0.1:" + port_ + path;
}

std::vector<std::string> Receiver::bodies() const {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    if (entry.path().extension() == ".body") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string Receiver::headers(int request) const {
  std::string stem = std::to_string(request);
  stem.insert(0, 4 - stem.size(), '0');
  return ReadFile(directory_ / (stem + ".headers.json"));
}

}  // namespace autotrace::test
