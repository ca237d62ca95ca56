#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "cli/strings.h"
#include "command_runner.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

constexpr char kExitsWithSeven[] = R"(
#include <stdio.h>
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) printf("[%s]", argv[i]);
  return 7;
})";

TEST_CASE("run keeps the program's output, arguments and exit status") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kExitsWithSeven, "-finstrument-functions");
  const CommandResult result = RunAutotracer(
      folder, {"run", "--dir", folder / "data", "--", program, "--help", "", "a b", "--", "-x"});
  INFO(result.errors);
  CHECK(result.exit_status == 7);
  CHECK(result.output == "[--help][][a b][--][-x]");
}

TEST_CASE("run needs no -- before a program") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kExitsWithSeven, "-finstrument-functions");
  const CommandResult result = RunAutotracer(
      folder, {"run", "--modules", "app", "--dir", folder / "data", program, "--modules", "-x"});
  INFO(result.errors);
  CHECK(result.exit_status == 7);
  CHECK(result.output == "[--modules][-x]");
}

TEST_CASE("a program's death by a signal is seen by whoever waits") {
  const TemporaryFolder folder;
  const std::string program =
      Compile(folder, "program", "#include <signal.h>\nint main() { raise(SIGTERM); }",
              "-finstrument-functions");
  const CommandResult result =
      RunAutotracer(folder, {"run", "--dir", folder / "data", "--", program});
  CHECK(result.exit_status == -1);
  CHECK(result.signal == SIGTERM);
}

TEST_CASE("a program without hooks is run all the same, with an explanation") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kExitsWithSeven);
  const CommandResult result =
      RunAutotracer(folder, {"run", "--dir", folder / "data", "--", program, "x"});
  CHECK(result.exit_status == 7);
  CHECK(result.output == "[x]");
  CHECK(Contains(result.errors, "autotracer: 0 instrumented functions: neither " + program));
  CHECK(Contains(result.errors, "autotracer flags --compiler"));
}

TEST_CASE("a static program is said to ignore preloading, in one line") {
  const TemporaryFolder folder;
  const std::string program =
      Compile(folder, "program", kExitsWithSeven, "-static -finstrument-functions");
  const CommandResult result =
      RunAutotracer(folder, {"run", "--dir", folder / "data", "--", program});
  CHECK(result.exit_status == 7);
  CHECK(Contains(result.errors, "0 instrumented functions: " + program + " is statically linked"));
  CHECK(std::count(result.errors.begin(), result.errors.end(), '\n') == 1);
}

TEST_CASE("hooks in a library that the program is linked to are enough") {
  const TemporaryFolder folder;
  Compile(folder, "libstorage.so", "int Store() { return 3; }",
          "-shared -fPIC -finstrument-functions -Wl,-soname,libstorage.so");
  const std::string program =
      Compile(folder, "program", "int Store();\nint main() { return Store(); }",
              "-L. -lstorage -Wl,-rpath,'$ORIGIN'");
  const CommandResult result = RunAutotracer(
      folder, {"run", "--modules", "libstorage.so", "--dir", folder / "data", "--", program});
  CHECK(result.exit_status == 3);
  CHECK_FALSE(Contains(result.errors, "0 instrumented functions"));
}

constexpr char kPrintsEnvironment[] = R"cc(
#include <stdio.h>
#include <stdlib.h>

#include <initializer_list>
  int main() {
    for (const char* name : {"AUTOTRACE_MODULES", "AUTOTRACE_EXCLUDE", "AUTOTRACE_MIN_DURATION",
                             "AUTOTRACE_PIPELINE_ID", "AUTOTRACE_CONFIG", "AUTOTRACE_DIR",
                             "AUTOTRACE_SUMMARY", "LD_PRELOAD"}) {
      const char* value = getenv(name);
      printf("%s=%s\n", name, value != nullptr ? value : "(unset)");
    }
  })cc";

TEST_CASE("the options reach the program as settings") {
  const TemporaryFolder folder;
  const std::string program =
      Compile(folder, "program", kPrintsEnvironment, "-finstrument-functions");
  folder.Write("trace.yaml", "callers: false\n");
  const CommandResult result = RunAutotracer(
      folder, {"run", "--modules", "app,lib:x", "--modules", "other", "--exclude", "app::log",
               "--min-duration", "10us", "--pipeline-id", "nightly", "--config", "trace.yaml",
               "--dir", "data", "--summary", "--", program});
  INFO(result.output << result.errors);
  CHECK(result.exit_status == 0);
  CHECK(Contains(result.output, "AUTOTRACE_MODULES=app,lib:x,other\n"));
  CHECK(Contains(result.output, "AUTOTRACE_EXCLUDE=app::log\n"));
  CHECK(Contains(result.output, "AUTOTRACE_MIN_DURATION=10us\n"));
  CHECK(Contains(result.output, "AUTOTRACE_PIPELINE_ID=nightly\n"));
  CHECK(Contains(result.output, "AUTOTRACE_CONFIG=" + folder / "trace.yaml" + "\n"));
  CHECK(Contains(result.output, "AUTOTRACE_DIR=" + folder / "data" + "\n"));
  CHECK(Contains(result.output, "AUTOTRACE_SUMMARY=1\n"));
}

TEST_CASE("without --modules the program's own functions are recorded, which it says") {
  const TemporaryFolder folder;
  const std::string program =
      Compile(folder, "program", kPrintsEnvironment, "-finstrument-functions");
  std::filesystem::create_symlink(program, folder / "alias");
  const CommandResult result =
      RunAutotracer(folder, {"run", "--dir", folder / "data", "--", folder / "alias"});
  CHECK(Contains(result.output, "AUTOTRACE_MODULES=lib:program\n"));
  CHECK(Contains(result.errors, "--modules lib:program"));
}

TEST_CASE("modules from the environment or a file are not overridden") {
  const TemporaryFolder folder;
  const std::string program =
      Compile(folder, "program", kPrintsEnvironment, "-finstrument-functions");
  const CommandResult from_environment = RunAutotracer(
      folder, {"run", "--dir", folder / "data", "--", program}, {{"AUTOTRACE_MODULES", "app"}});
  CHECK(Contains(from_environment.output, "AUTOTRACE_MODULES=app\n"));
  folder.Write("trace.yaml", "modules: [app]\n");
  const CommandResult from_file = RunAutotracer(
      folder, {"run", "--config", "trace.yaml", "--dir", folder / "data", "--", program});
  CHECK(Contains(from_file.output, "AUTOTRACE_MODULES=(unset)\n"));
  CHECK_FALSE(Contains(from_file.errors, "no --modules"));
}

TEST_CASE("the runtime is preloaded before what is preloaded already") {
  const TemporaryFolder folder;
  const std::string program =
      Compile(folder, "program", kPrintsEnvironment, "-finstrument-functions");
  const std::string other = Compile(folder, "libother.so", "", "-shared -fPIC");
  const CommandResult result =
      RunCommand(folder, {"env", "LD_PRELOAD=" + other, AUTOTRACE_TEST_COMMAND, "run", "--dir",
                          folder / "data", "--", program});
  const size_t at = result.output.find("LD_PRELOAD=");
  REQUIRE(at != std::string::npos);
  const std::string preloaded = result.output.substr(at);
  CHECK(Contains(preloaded, "libautotrace-cpp.so.0:" + other + "\n"));
}

TEST_CASE("what cannot be run has a shell's status") {
  const TemporaryFolder folder;
  const CommandResult missing =
      RunAutotracer(folder, {"run", "--modules", "app", "--", folder / "missing"});
  CHECK(missing.exit_status == 127);
  CHECK(Contains(missing.errors, "missing"));
  const std::string text = folder.Write("text.txt", "text");
  const CommandResult not_executable =
      RunAutotracer(folder, {"run", "--modules", "app", "--", text});
  CHECK(not_executable.exit_status == 126);
  CHECK(Contains(not_executable.errors, "text.txt: Permission denied"));
}

TEST_CASE("a wrong setting is status 2, before the program is run") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kExitsWithSeven, "-finstrument-functions");
  const std::vector<std::vector<std::string>> wrong = {
      {"--min-duration", "0.5"}, {"--modules", "src:"}, {"--exclude", "a::::b:"}};
  for (auto arguments : wrong) {
    CAPTURE(arguments);
    arguments.insert(arguments.begin(), "run");
    arguments.insert(arguments.end(), {"--", program, "ran"});
    const CommandResult result = RunAutotracer(folder, arguments);
    CHECK(result.exit_status == 2);
    CHECK(result.output.empty());
    CHECK(result.errors.starts_with("autotracer: "));
  }
}

}  // namespace
}  // namespace autotrace::cli
