// From `autotracer run` to every command that reads what it recorded.
#include <string.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "cli/strings.h"
#include "cli/text_format.h"
#include "command_runner.h"
#include "runtime/trace_format.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::ReadFile;
using test::TemporaryFolder;

constexpr char kProgram[] = R"(
#include <autotrace/autotrace.h>
namespace app {
__attribute__((noinline)) int Step(int value) { asm volatile(""); return value + 1; }
__attribute__((noinline)) int Load() {
  autotrace::Span span("Enrichment", {{"languages", 7910}});
  return Step(0);
}
__attribute__((noinline)) int Run() {
  int value = 0;
  for (int i = 0; i < 1000; ++i) value = Step(value);
  return value + Load();
}
}
int main() { return app::Run() == 1001 ? 0 : 1; }
)";

// Runs the program once and records below folder/data.
void Record(const TemporaryFolder& folder) {
  static const TemporaryFolder built;
  const std::string program = built / "program";
  if (!std::filesystem::exists(program)) {
    // Linked to the runtime because of the manual span.
    const std::string library =
        (std::filesystem::path(AUTOTRACE_TEST_RUNTIME).parent_path()).string();
    Compile(
        built, "program", kProgram,
        Concat("-std=c++17 -g -O2 -finstrument-functions -I", AUTOTRACE_TEST_API_FOLDER, " -L",
               library, " -Wl,-rpath,", library, " $(", AUTOTRACE_TEST_COMMAND, " flags --link)"));
  }
  const CommandResult result =
      RunAutotracer(folder, {"run", "--modules", "app", "--pipeline-id", "nightly", "--dir",
                             folder / "data", "--", program});
  INFO(result.errors);
  REQUIRE(result.exit_status == 0);
}

TEST_CASE("a recorded program's tree is folded and marked, and fits") {
  const TemporaryFolder folder;
  Record(folder);
  const CommandResult tree = RunAutotracer(folder, {"tree", "--dir", folder / "data"});
  INFO(tree.output << tree.errors);
  CHECK(tree.exit_status == 0);
  CHECK(Contains(tree.output, "app::Run  pipeline nightly\n"));
  CHECK(Contains(tree.output, "app::Step ×1000  total "));
  // Below Load, which is below Run.
  CHECK(Contains(tree.output, "s     └─ Enrichment  manual  languages=7910\n"));
  CHECK(Contains(tree.output, "1,004 spans in 1 trace"));
  CHECK_FALSE(Contains(tree.output, "\033"));
  for (const std::string_view line : Split(tree.output, "\n")) CHECK(DisplayWidth(line) <= 100);

  const CommandResult all = RunAutotracer(folder, {"tree", "--all", "--dir", folder / "data"});
  CHECK(Split(all.output, "\n").size() == 2 + 1004);
  const CommandResult few =
      RunAutotracer(folder, {"tree", "--all", "--limit", "20", "--dir", folder / "data"});
  CHECK(Split(few.output, "\n").size() == 20);
  const CommandResult callers =
      RunAutotracer(folder, {"tree", "--callers", "--dir", folder / "data"});
  CHECK(Contains(callers.output, "called from main ("));
}

TEST_CASE("the runs folder may come from the environment") {
  const TemporaryFolder folder;
  Record(folder);
  const CommandResult tree = RunAutotracer(folder, {"tree"}, {{"AUTOTRACE_DIR", folder / "data"}});
  CHECK(tree.exit_status == 0);
  CHECK(Contains(tree.output, "app::Run"));
}

TEST_CASE("a recorded program's report counts its calls") {
  const TemporaryFolder folder;
  Record(folder);
  const CommandResult report =
      RunAutotracer(folder, {"report", "--sort", "calls", "--dir", folder / "data"});
  INFO(report.output << report.errors);
  CHECK(report.exit_status == 0);
  const auto lines = Split(report.output, "\n");
  REQUIRE(lines.size() == 5);
  CHECK(lines[1].starts_with("1,001 "));
  CHECK(lines[1].ends_with("  app::Step"));
  CHECK(Contains(report.output, "  Enrichment  manual\n"));
}

TEST_CASE("a recorded program is exported to stdout and to a file") {
  const TemporaryFolder folder;
  Record(folder);
  const CommandResult output =
      RunAutotracer(folder, {"export", "--to", "otlp-json", "--dir", folder / "data"});
  CHECK(output.exit_status == 0);
  CHECK(output.output.starts_with("{\"resourceSpans\""));
  CHECK(Contains(output.output, "app::Run"));
  CHECK(output.errors.empty());
  const CommandResult file = RunAutotracer(
      folder, {"export", "--to", "otlp-json", "--dir", folder / "data", "-o", "out.jsonl"});
  CHECK(file.exit_status == 0);
  CHECK(ReadFile(folder / "out.jsonl") == output.output);
  const CommandResult chrome = RunAutotracer(
      folder, {"export", "--to", "chrome", "--dir", folder / "data", "-o", "trace.json"});
  CHECK(chrome.exit_status == 0);
  CHECK(Contains(ReadFile(folder / "trace.json"), "traceEvents"));
  const CommandResult nowhere = RunAutotracer(
      folder, {"export", "--to", "chrome", "--dir", folder / "data", "-o", "missing/trace.json"});
  CHECK(nowhere.exit_status == 1);
  CHECK(Contains(nowhere.errors, "missing/trace.json"));
}

TEST_CASE("runs are listed and cleaned") {
  const TemporaryFolder folder;
  for (int i = 0; i < 3; ++i) Record(folder);
  const std::string data = folder / "data";
  std::filesystem::create_directory(data + "/mine");
  const CommandResult list = RunAutotracer(folder, {"list", "--dir", data});
  INFO(list.output << list.errors);
  CHECK(list.exit_status == 0);
  const auto lines = Split(list.output, "\n");
  REQUIRE(lines.size() == 4);
  CHECK(Contains(lines[1], "  ended  "));
  CHECK(lines[1].ends_with("  program"));
  const std::string newest(lines[3].substr(0, lines[3].find(' ')));

  CHECK(RunAutotracer(folder, {"clean", "--older-than", "1h", "--dir", data}).exit_status == 0);
  CHECK(Split(RunAutotracer(folder, {"list", "--dir", data}).output, "\n").size() == 4);
  const CommandResult clean = RunAutotracer(folder, {"clean", "--keep", "1", "--dir", data});
  CHECK(clean.exit_status == 0);
  CHECK(Contains(clean.output, "removed 2 runs"));
  CHECK(std::filesystem::exists(data + "/" + newest));
  CHECK(RunAutotracer(folder, {"clean", "--all", "--dir", data}).exit_status == 0);
  CHECK_FALSE(std::filesystem::exists(data + "/" + newest));
  CHECK(std::filesystem::exists(data + "/mine"));
  CHECK(RunAutotracer(folder, {"list", "--dir", data}).exit_status == 1);
}

// Damages every block of this kind in every segment.
void Damage(const TemporaryFolder& folder, format::BlockKind kind) {
  size_t damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "data")) {
    if (entry.path().extension() != ".seg") continue;
    std::string bytes = ReadFile(entry.path());
    format::BlockHeader header;
    for (size_t at = sizeof(format::SegmentHeader); at + sizeof(header) < bytes.size();
         at += sizeof(header) + (header.size + 7) / 8 * 8) {
      memcpy(&header, bytes.data() + at, sizeof(header));
      REQUIRE(header.magic == format::kBlockMagic);
      if (header.kind != static_cast<uint16_t>(kind)) continue;
      bytes[at + sizeof(header)] ^= 0x55;
      ++damaged;
    }
    std::ofstream(entry.path(), std::ios::binary) << bytes;
  }
  REQUIRE(damaged > 0);
}

TEST_CASE("damage gives what is left and status 3") {
  const TemporaryFolder folder;
  Record(folder);
  Damage(folder, format::BlockKind::kEnd);
  const std::vector<std::vector<std::string>> commands = {
      {"tree"}, {"report"}, {"export", "--to", "otlp-json"}};
  for (auto arguments : commands) {
    CAPTURE(arguments);
    arguments.insert(arguments.end(), {"--dir", folder / "data"});
    const CommandResult result = RunAutotracer(folder, arguments);
    CHECK(result.exit_status == 3);
    CHECK(Contains(result.output, "app::Load"));
    CHECK(Contains(result.errors, "autotracer: warning: "));
  }
}

TEST_CASE("a run whose spans are all damaged has nothing to show") {
  const TemporaryFolder folder;
  Record(folder);
  Damage(folder, format::BlockKind::kRecords);
  const CommandResult tree = RunAutotracer(folder, {"tree", "--dir", folder / "data"});
  CHECK(tree.exit_status == 1);
  CHECK(tree.output.empty());
  CHECK(Contains(tree.errors, "damaged"));
}

TEST_CASE("a program that was killed can be read, and recovered") {
  const TemporaryFolder folder;
  const std::string program = Compile(folder, "program", R"(
#include <signal.h>
#include <unistd.h>
namespace app {
__attribute__((noinline)) int Step(int value) { asm volatile(""); return value + 1; }
__attribute__((noinline)) int Run() {
  Step(0);
  usleep(400000);  // open frames and modules are copied into the ring ten times a second
  return raise(SIGKILL);
}
}
int main() { return app::Run(); })",
                                      "-g -finstrument-functions");
  const CommandResult run =
      RunAutotracer(folder, {"run", "--modules", "app", "--dir", folder / "data", "--", program});
  REQUIRE(run.signal == SIGKILL);
  const std::string data = folder / "data";
  CHECK(Contains(RunAutotracer(folder, {"list", "--dir", data}).output, "  died  "));
  CHECK(Contains(RunAutotracer(folder, {"tree", "--dir", data}).output, "app::Step"));
  const CommandResult recover = RunAutotracer(folder, {"recover", "--dir", data});
  INFO(recover.output << recover.errors);
  CHECK(recover.exit_status == 0);
  CHECK(Contains(RunAutotracer(folder, {"tree", "--dir", data}).output, "app::Step"));
  CHECK(Contains(RunAutotracer(folder, {"recover", "--dir", data}).output, "nothing to recover"));
}

}  // namespace
}  // namespace autotrace::cli
