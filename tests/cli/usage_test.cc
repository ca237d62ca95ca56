#include <catch2/catch.hpp>
#include <string>

#include "cli/strings.h"
#include "command_runner.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

TEST_CASE("help teaches and version tells, both on stdout with status 0") {
  const TemporaryFolder folder;
  const CommandResult help = RunAutotracer(folder, {"--help"});
  CHECK(help.exit_status == 0);
  CHECK(Contains(help.output, "autotracer run -- ./my_service"));
  CHECK(Contains(help.output, "Exit codes:"));
  CHECK(help.errors.empty());
  const CommandResult version = RunAutotracer(folder, {"--version"});
  CHECK(version.exit_status == 0);
  CHECK(version.output == "autotracer " AUTOTRACE_VERSION "\n");
}

TEST_CASE("every sub-command's --help has examples and exit codes") {
  const TemporaryFolder folder;
  for (const char* command : {"run", "tree", "report", "export", "functions", "flags",
                              "check-config", "list", "clean", "recover", "pack", "profile"}) {
    CAPTURE(command);
    const CommandResult help = RunAutotracer(folder, {command, "--help"});
    CHECK(help.exit_status == 0);
    CHECK(Contains(help.output, std::string("autotracer ") + command));
    CHECK(Contains(help.output, "Exit codes:"));
  }
}

TEST_CASE("a command line that is not understood has status 2 and says where to look") {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"tre"},
      {"tree", "--colour"},
      {"tree", "--trace", "xyz"},
      {"tree", "--limit", "many"},
      {"report", "--sort", "name"},
      {"export"},
      {"export", "--to", "csv"},
      {"functions"},
      {"check-config"},
      {"clean", "--all", "--keep", "3"},
      {"clean", "--older-than", "7"},
      {"pack", "--level", "20"},
      {"profile"},
      {"profile", "-o", "x", "--rare", "2"},
      {"profile", "-o", "x", "--min-duration", "soon"},
      {"run"},
      {"run", "--"},
      {"run", "--modulez", "x", "--", "true"},
      {"run", "--config", "/nonexistent.yaml", "--", "true"},
  };
  for (const auto& arguments : wrong) {
    CAPTURE(arguments);
    const CommandResult result = RunAutotracer(folder, arguments);
    CHECK(result.exit_status == 2);
    CHECK(result.errors.starts_with("autotracer: "));
    CHECK(result.output.empty());
  }
}

TEST_CASE("no run is status 1 with a way to record one") {
  const TemporaryFolder folder;
  for (const char* command : {"tree", "report", "list"}) {
    CAPTURE(command);
    const CommandResult result = RunAutotracer(folder, {command, "--dir", folder.path()});
    CHECK(result.exit_status == 1);
    CHECK(result.output.empty());
    CHECK(Contains(result.errors, "autotracer run --"));
    CHECK(Contains(result.errors, folder.path()));
  }
  const CommandResult named =
      RunAutotracer(folder, {"export", "--to", "chrome", "no-such-run", "--dir", folder.path()});
  CHECK(named.exit_status == 1);
  CHECK(Contains(named.errors, "no-such-run"));
}

TEST_CASE("output that cannot be written is a failure") {
  const TemporaryFolder folder;
  const CommandResult result = RunCommand(
      folder, {"sh", "-c", std::string(AUTOTRACE_TEST_COMMAND) + " flags --link > /dev/full"});
  CHECK(result.exit_status == 1);
  CHECK(Contains(result.errors, "cannot write"));
}

}  // namespace
}  // namespace autotrace::cli
