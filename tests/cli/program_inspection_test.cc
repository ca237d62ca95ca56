#include "cli/program_inspection.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "cli/strings.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

void MakeExecutable(const std::string& path) {
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

TEST_CASE("a program is found as execvp finds it") {
  const TemporaryFolder folder;
  const std::string program = folder.Write("tool", "#!/bin/sh\n");
  CHECK(FindProgram(program).empty());  // not executable
  MakeExecutable(program);
  CHECK(FindProgram(program) == program);
  const std::string old_path = getenv("PATH");
  setenv("PATH", ("/nonexistent:" + folder.path()).c_str(), 1);
  CHECK(FindProgram("tool") == program);
  CHECK(FindProgram("tool2").empty());
  setenv("PATH", old_path.c_str(), 1);
}

TEST_CASE("the C library defines the hooks but does not call them") {
  const ProgramFacts facts = InspectProgram("/bin/sh");
  CHECK(facts.is_elf);
  CHECK_FALSE(facts.is_static);
  CHECK_FALSE(facts.calls_hooks);
  CHECK(facts.libraries_with_hooks.empty());
  const auto lines = ExplainMissingFunctions(facts);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].starts_with("0 instrumented functions: "));
  CHECK(Contains(lines[1], "autotracer flags"));
}

TEST_CASE("of a script the interpreter is looked at") {
  const TemporaryFolder folder;
  const std::string shell = std::filesystem::canonical("/bin/sh").string();
  for (const char* first_line : {"#!/bin/sh -e\n", "#! /usr/bin/env sh\n"}) {
    const std::string script = folder.Write("script", first_line);
    MakeExecutable(script);
    const ProgramFacts facts = InspectProgram(script);
    CHECK(facts.is_script);
    CHECK(facts.binary == shell);
  }
}

TEST_CASE("what is no program is said to be none") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("data", "just text");
  MakeExecutable(path);
  const auto lines = ExplainMissingFunctions(InspectProgram(path));
  REQUIRE_FALSE(lines.empty());
  CHECK(Contains(lines[0], "no ELF program"));
}

TEST_CASE("a program with hooks, its own or a library's, needs no explanation") {
  ProgramFacts facts;
  facts.is_elf = true;
  CHECK_FALSE(ExplainMissingFunctions(facts).empty());
  facts.libraries_with_hooks = {"/usr/lib/libstorage.so"};
  CHECK(ExplainMissingFunctions(facts).empty());
  facts.libraries_with_hooks.clear();
  facts.calls_hooks = true;
  CHECK(ExplainMissingFunctions(facts).empty());
}

TEST_CASE("programs that ignore what is preloaded are told apart") {
  ProgramFacts facts;
  facts.is_elf = true;
  facts.calls_hooks = true;
  facts.is_static = true;
  CHECK(Contains(ExplainMissingFunctions(facts).at(0), "statically linked"));
  facts.links_runtime = true;
  CHECK(ExplainMissingFunctions(facts).empty());
  facts.is_static = false;
  facts.gains_privileges = true;
  CHECK(Contains(ExplainMissingFunctions(facts).at(0), "set-user-id"));
}

}  // namespace
}  // namespace autotrace::cli
