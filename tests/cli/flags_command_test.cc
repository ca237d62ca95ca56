#include <catch2/catch.hpp>
#include <string>

#include "cli/program_inspection.h"
#include "cli/strings.h"
#include "command_runner.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::ReadFile;
using test::TemporaryFolder;

const std::vector<std::string> kCompilers = {AUTOTRACE_TEST_GXX, AUTOTRACE_TEST_CLANGXX};

// Uses the standard library enough that hooks in it would show.
constexpr char kProgram[] = R"(
#include <algorithm>
#include <string>
#include <vector>
int Sum(const std::vector<std::string>& words) {
  std::vector<std::string> sorted = words;
  std::sort(sorted.begin(), sorted.end());
  int sum = 0;
  for (const std::string& word : sorted) sum += static_cast<int>(word.size());
  return sum;
}
int main(int argc, char** argv) { return Sum({argv, argv + argc}) == 0; }
)";

TEST_CASE("the printed flags compile and link a program that calls the hooks") {
  for (const std::string& compiler : kCompilers) {
    for (const char* options : {"-std=c++20 -O0 -Werror", "-std=c++20 -O2 -Werror"}) {
      CAPTURE(compiler, options);
      const TemporaryFolder folder;
      const std::string program = Compile(
          folder, "program", kProgram,
          Concat(options, " $(", AUTOTRACE_TEST_COMMAND, " flags --compiler ", compiler, ")"),
          compiler);
      CHECK(CallsHooks(program));
      CHECK(RunCommand(folder, {program}).exit_status == 0);
    }
  }
}

TEST_CASE("GCC puts no hooks into the standard library's functions") {
  const TemporaryFolder folder;
  // Functions with hooks pass their own address to them: counted in the assembler text.
  folder.Write("program.cc", kProgram);
  const std::string count =
      Concat("$0 -std=c++20 -O0 -S $1 program.cc -o - | grep -c 'call.*__cyg_profile_func_enter'");
  const std::string flags =
      RunAutotracer(folder, {"flags", "--compiler", AUTOTRACE_TEST_GXX}).output;
  const CommandResult excluded = RunCommand(
      folder,
      {"sh", "-c", ReplaceAll(ReplaceAll(count, "$0", AUTOTRACE_TEST_GXX), "$1", Strip(flags))});
  CHECK(Strip(excluded.output) == "2");  // Sum and main
  const CommandResult everything = RunCommand(
      folder,
      {"sh", "-c",
       ReplaceAll(ReplaceAll(count, "$0", AUTOTRACE_TEST_GXX), "$1", "-finstrument-functions")});
  uint64_t hooks = 0;
  REQUIRE(ParseNumber(Strip(everything.output), &hooks));
  CHECK(hooks > 50);
}

TEST_CASE("all of /usr/include is never excluded") {
  const TemporaryFolder folder;
  const CommandResult result = RunAutotracer(folder, {"flags", "--compiler", AUTOTRACE_TEST_GXX});
  CHECK(result.exit_status == 0);
  CHECK(Contains(result.output, "/c++/"));
  CHECK_FALSE(Contains(result.output, "=/usr/include/,"));
  CHECK_FALSE(Contains(result.output, ",/usr/include/,"));
  CHECK_FALSE(Strip(result.output).ends_with(",/usr/include/"));
  CHECK_FALSE(Contains(result.output, ".."));
}

// What cmake/AutotraceInstrument.cmake would compile with.
std::string FlagsOfCmake(const TemporaryFolder& folder, const std::string& compiler,
                         const char* use_plugin) {
  folder.Write("CMakeLists.txt", Concat("cmake_minimum_required(VERSION 3.16)\n"
                                        "project(flags CXX)\n"
                                        "include(",
                                        AUTOTRACE_TEST_CMAKE_FOLDER,
                                        "/AutotraceInstrument.cmake)\n"
                                        "set_property(GLOBAL PROPERTY AUTOTRACE_PLUGIN_FOLDER ",
                                        AUTOTRACE_TEST_PLUGIN_FOLDER,
                                        ")\n"
                                        "_autotrace_find_plugin(plugin CXX)\n"
                                        "_autotrace_hook_flags(flags CXX \"${plugin}\")\n"
                                        "file(WRITE ${CMAKE_BINARY_DIR}/flags \"-g;${flags}\")\n"));
  const CommandResult configured = RunCommand(
      folder, {AUTOTRACE_TEST_CMAKE, "-S", folder.path(), "-B", folder / "build",
               "-DCMAKE_CXX_COMPILER=" + compiler, Concat("-DAUTOTRACE_PLUGIN=", use_plugin)});
  INFO(configured.errors);
  REQUIRE(configured.exit_status == 0);
  return ReadFile(folder / "build/flags");
}

TEST_CASE("the command's flags are those of autotrace_instrument()") {
  for (const std::string& compiler : kCompilers) {
    CAPTURE(compiler);
    const TemporaryFolder folder;
    const CommandResult result =
        RunAutotracer(folder, {"flags", "--compiler", compiler, "--cmake"});
    CHECK(Strip(result.output) == FlagsOfCmake(folder, compiler, "ON"));
    const TemporaryFolder other_folder;
    const CommandResult without =
        RunAutotracer(folder, {"flags", "--compiler", compiler, "--cmake", "--no-plugin"});
    CHECK(without.errors.empty());
    CHECK_FALSE(Contains(without.output, "-fplugin"));
    CHECK(Strip(without.output) == FlagsOfCmake(other_folder, compiler, "OFF"));
  }
}

TEST_CASE("the linker's flags do not depend on where they stand") {
  const TemporaryFolder folder;
  const CommandResult result = RunAutotracer(folder, {"flags", "--link"});
  CHECK(result.exit_status == 0);
  CHECK(result.output == "-Wl,--push-state,--no-as-needed -lautotrace-cpp -Wl,--pop-state\n");
}

TEST_CASE("CXX names the compiler, also behind a launcher") {
  const TemporaryFolder folder;
  const CommandResult gcc = RunAutotracer(folder, {"flags", "--no-plugin"},
                                          {{"CXX", Concat("env ", AUTOTRACE_TEST_GXX)}});
  CHECK(Contains(gcc.output, "-finstrument-functions-exclude-file-list="));
  const CommandResult clang =
      RunAutotracer(folder, {"flags", "--no-plugin"}, {{"CXX", AUTOTRACE_TEST_CLANGXX}});
  CHECK(clang.output == "-g -finstrument-functions-after-inlining\n");
}

TEST_CASE("a compiler that is not there is status 1, a wrong pattern status 2") {
  const TemporaryFolder folder;
  const CommandResult missing = RunAutotracer(folder, {"flags", "--compiler", "no-such-compiler"});
  CHECK(missing.exit_status == 1);
  CHECK(missing.output.empty());
  CHECK(Contains(missing.errors, "no-such-compiler"));
  const CommandResult wrong =
      RunAutotracer(folder, {"flags", "--compiler", AUTOTRACE_TEST_GXX, "--modules", "src:"});
  CHECK(wrong.exit_status == 2);
  CHECK(wrong.output.empty());
}

TEST_CASE("what is asked of the plugin and not of it at the same time is refused") {
  const TemporaryFolder folder;
  CHECK(RunAutotracer(folder, {"flags", "--no-plugin", "--modules", "app"}).exit_status == 2);
  CHECK(RunAutotracer(folder, {"flags", "--leaves", "some"}).exit_status == 2);
}

TEST_CASE("the flags may stand in a command that only links") {
  for (const std::string& compiler : kCompilers) {
    CAPTURE(compiler);
    const TemporaryFolder folder;
    folder.Write("main.cc", "int main() { return 0; }\n");
    const CommandResult flags = RunAutotracer(
        folder, {"flags", "--compiler", compiler, "--modules", "app", "--leaves", "none"});
    const std::string words = Concat(compiler, " -Wall -Werror ", Strip(flags.output));
    const CommandResult built = RunCommand(
        folder, {"sh", "-c", Concat(words, " -c main.cc && ", words, " main.o -o program")});
    INFO(built.errors);
    CHECK(built.exit_status == 0);
    CHECK(built.errors.empty());
  }
}

}  // namespace
}  // namespace autotrace::cli
