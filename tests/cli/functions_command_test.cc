#include <catch2/catch.hpp>
#include <string>

#include "cli/strings.h"
#include "command_runner.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

constexpr char kProgram[] = R"(
namespace app {
int Add(int a, int b) { return a + b; }
int Add(long a, long b) { return static_cast<int>(a + b); }
namespace detail { int Log(int value) { return value; } }
}
namespace other { int Work(int value) { return value + 1; } }
int main() { return app::detail::Log(other::Work(app::Add(1, 2) - app::Add(2L, 2L))); }
)";

TEST_CASE("functions are listed with what chose them and what not") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kProgram, "-g -finstrument-functions");
  const CommandResult result = RunAutotracer(
      folder, {"functions", program, "--modules", "app", "--exclude", "app::detail", "--all"});
  INFO(result.output << result.errors);
  CHECK(result.exit_status == 0);
  CHECK(Contains(result.output, "selected: 2 of "));
  CHECK(Contains(result.output, "\n  app::Add ×2\n"));
  const size_t excluded = result.output.find("app::detail'");
  REQUIRE(excluded != std::string::npos);
  CHECK(result.output.find("  app::detail::Log\n") > excluded);
  CHECK(Contains(result.output, "  other::Work\n"));
}

TEST_CASE("without --all the rest is only counted") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kProgram, "-g -finstrument-functions");
  const CommandResult result =
      RunAutotracer(folder, {"functions", program}, {{"AUTOTRACE_MODULES", "other"}});
  CHECK(result.exit_status == 0);
  CHECK(Contains(result.output, "\n  other::Work\n"));
  CHECK_FALSE(Contains(result.output, "app::Add"));
}

TEST_CASE("without patterns the binary's own functions are meant") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kProgram, "-g -finstrument-functions");
  const CommandResult result = RunAutotracer(folder, {"functions", program});
  CHECK(result.exit_status == 0);
  CHECK(Contains(result.errors, "lib:program"));
  CHECK(Contains(result.output, "\n  app::detail::Log\n"));
  CHECK(Contains(result.output, "\n  main\n"));
  CHECK_FALSE(Contains(result.output, "_start"));
}

TEST_CASE("a pattern that matches nothing is named, and nothing selected is status 1") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kProgram, "-g -finstrument-functions");
  const CommandResult result = RunAutotracer(folder, {"functions", program, "--modules", "ap"});
  CHECK(result.exit_status == 1);
  CHECK(Contains(result.output, "selected: 0 of "));
  CHECK(Contains(result.errors, "modules: ap"));
}

TEST_CASE("a binary without hooks is said to have none") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", kProgram, "-g");
  const CommandResult result = RunAutotracer(folder, {"functions", program, "--modules", "app"});
  CHECK(result.exit_status == 1);
  CHECK(Contains(result.errors, "does not call the hooks"));
}

TEST_CASE("what is no binary is status 1 with its name") {
  const TemporaryFolder folder;
  const std::string text = folder.Write("text.txt", "text");
  const CommandResult wrong = RunAutotracer(folder, {"functions", text, "--modules", "app"});
  CHECK(wrong.exit_status == 1);
  CHECK(Contains(wrong.errors, "text.txt is no ELF"));
  const CommandResult missing =
      RunAutotracer(folder, {"functions", folder / "missing", "--modules", "app"});
  CHECK(missing.exit_status == 1);
  CHECK(Contains(missing.errors, "missing: No such file"));
}

}  // namespace
}  // namespace autotrace::cli
