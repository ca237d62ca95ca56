#include <catch2/catch.hpp>
#include <string>

#include "cli/strings.h"
#include "command_runner.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

TEST_CASE("a good configuration is printed, each value with its source") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("trace.yaml", "modules: [pipeline]\nmin_duration: 1.5ms\n");
  const CommandResult result =
      RunAutotracer(folder, {"check-config", file}, {{"AUTOTRACE_EXCLUDE", "pipeline::log"}});
  CHECK(result.exit_status == 0);
  CHECK(result.errors.empty());
  CHECK(Contains(result.output, "min_duration: 1.5ms"));
  CHECK(Contains(result.output, "trace.yaml:2"));
  CHECK(Contains(result.output, "# AUTOTRACE_EXCLUDE"));
  CHECK(Contains(result.output, "# default"));
}

TEST_CASE("secrets are masked") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("trace.yaml", "modules: [pipeline]\n");
  const CommandResult result =
      RunAutotracer(folder, {"check-config", file},
                    {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"},
                     {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=sesame"}});
  CHECK(result.exit_status == 0);
  CHECK(Contains(result.output, "****"));
  CHECK_FALSE(Contains(result.output + result.errors, "sesame"));
}

TEST_CASE("a mistake is one line with its place, and status 1") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("trace.yaml", "modules: [pipeline]\nmin_duration: 0.5\n");
  const CommandResult result = RunAutotracer(folder, {"check-config", file});
  CHECK(result.exit_status == 1);
  CHECK(result.output.empty());
  CHECK(Contains(result.errors, "trace.yaml:2:"));
  CHECK(Contains(result.errors, "500ms"));
  CHECK(result.errors.find('\n') == result.errors.size() - 1);
}

TEST_CASE("a file that cannot be read is named, and status 1") {
  const TemporaryFolder folder;
  const CommandResult result = RunAutotracer(folder, {"check-config", folder / "missing.yaml"});
  CHECK(result.exit_status == 1);
  CHECK(Contains(result.errors, "missing.yaml"));
}

}  // namespace
}  // namespace autotrace::cli
