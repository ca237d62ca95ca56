#include "cli/run_cleaner.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/strings.h"
#include "exporter/pack_reader.h"
#include "exporter/process_liveness.h"
#include "runtime/block_stream.h"
#include "runtime/trace_format.h"
#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::ReadFile;
using test::TemporaryFolder;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kNow = 1'800'000'000 * kSecond;
constexpr uint64_t kProcessKey = 0x1234567890abcdef;

exporter::Run MakeRun(uint64_t seconds_ago, exporter::ProcessState state) {
  exporter::Run run;
  run.name = Concat("run-", seconds_ago);
  run.start_unix_nanos = kNow - seconds_ago * kSecond;
  run.processes.resize(1);
  run.processes[0].state = state;
  return run;
}

std::vector<std::string> Removed(const CleanRule& rule) {
  const std::vector<exporter::Run> runs = {
      MakeRun(400, exporter::ProcessState::kEnded), MakeRun(300, exporter::ProcessState::kRunning),
      MakeRun(200, exporter::ProcessState::kDied), MakeRun(100, exporter::ProcessState::kEnded)};
  std::vector<std::string> names;
  for (const exporter::Run& run : RunsToRemove(runs, rule)) names.push_back(run.name);
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("the newest runs are kept") {
  CleanRule rule;
  rule.now_unix_nanos = kNow;
  CHECK(Removed(rule).empty());  // ten
  rule.keep = 1;
  CHECK(Removed(rule) == Names{"run-400", "run-200"});
}

TEST_CASE("a running run is never removed") {
  CleanRule rule;
  rule.all = true;
  rule.now_unix_nanos = kNow;
  CHECK(Removed(rule) == Names{"run-400", "run-200", "run-100"});
}

TEST_CASE("only runs that are old enough are removed") {
  CleanRule rule;
  rule.keep = 0;
  rule.older_than_nanos = 150 * kSecond;
  rule.now_unix_nanos = kNow;
  CHECK(Removed(rule) == Names{"run-400", "run-200"});
}

std::string SegmentBytes() {
  return std::string(format::kSegmentMagic, sizeof(format::kSegmentMagic)) + "rest";
}

exporter::Run RunIn(const std::string& path) {
  std::filesystem::create_directories(path);
  exporter::Run run;
  run.path = path;
  return run;
}

TEST_CASE("a run is removed with all its files, and links in it are not followed") {
  const TemporaryFolder folder;
  const std::string precious = folder.Write("precious", "keep me");
  const exporter::Run run = RunIn(folder / "run");
  folder.Write("run/1.seg", SegmentBytes());
  folder.Write("run/1.summary", "text");
  std::filesystem::create_symlink(precious, folder / "run/link");
  REQUIRE(RemoveRun(run).ok());
  CHECK_FALSE(std::filesystem::exists(run.path));
  CHECK(ReadFile(precious) == "keep me");
}

TEST_CASE("a packed run is removed; one whose folder was kept goes with it") {
  const TemporaryFolder folder;
  std::string bytes(exporter::kPackMagic, sizeof(exporter::kPackMagic));
  AppendStruct(&bytes, exporter::kPackVersion);
  AppendStruct(&bytes, uint32_t{sizeof(exporter::PackHeader)});
  const std::string pack = folder.Write("run.atpack", bytes);
  exporter::Run run;
  SECTION("packed") {
    run.path = pack;
    run.pack = *exporter::PackReader::Open(pack);
  }
  SECTION("packed and kept") {
    run = RunIn(folder / "run");
    folder.Write("run/1.seg", SegmentBytes());
  }
  REQUIRE(RemoveRun(run).ok());
  CHECK(folder.Entries().empty());
}

TEST_CASE("a file beside a run that is called like its pack and is none stays") {
  const TemporaryFolder folder;
  const exporter::Run run = RunIn(folder / "run");
  folder.Write("run/1.seg", SegmentBytes());
  folder.Write("run.atpack", "mine");
  REQUIRE(RemoveRun(run).ok());
  CHECK(folder.Entries() == Names{"run.atpack"});
}

TEST_CASE("a folder that is no run stays whole") {
  const TemporaryFolder folder;
  const exporter::Run run = RunIn(folder / "run");
  SECTION("it holds no segment") { folder.Write("run/notes.txt", "text"); }
  SECTION("a file is only called like a segment") {
    folder.Write("run/0.seg", SegmentBytes());
    folder.Write("run/1.seg", "something else");
  }
  SECTION("it holds a folder") {
    folder.Write("run/0.seg", SegmentBytes());
    std::filesystem::create_directory(folder / "run/more");
  }
  SECTION("a segment is a link") {
    const std::string target = folder.Write("elsewhere.seg", SegmentBytes());
    std::filesystem::create_symlink(target, folder / "run/0.seg");
  }
  const auto files_before = std::distance(std::filesystem::directory_iterator(run.path),
                                          std::filesystem::directory_iterator());
  const absl::Status status = RemoveRun(run);
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Contains(ToStd(status.message()), run.path));
  CHECK(std::distance(std::filesystem::directory_iterator(run.path),
                      std::filesystem::directory_iterator()) == files_before);
}

TEST_CASE("a run's folder that is a link is not followed") {
  const TemporaryFolder folder;
  RunIn(folder / "real");
  folder.Write("real/0.seg", SegmentBytes());
  std::filesystem::create_directory_symlink(folder / "real", folder / "run");
  exporter::Run run;
  run.path = folder / "run";
  CHECK_FALSE(RemoveRun(run).ok());
  CHECK(std::filesystem::exists(folder / "real/0.seg"));
}

// A ring as a process leaves it that recorded into `dir`.
std::string RingBytes(uint64_t pid, uint64_t kernel_start_time, const std::string& dir) {
  std::string process;
  AppendProcessNumber(&process, format::ProcessKey::kPid, pid);
  AppendProcessText(&process, format::ProcessKey::kConfigYaml, Concat("dir: ", dir, "\n"));
  std::string metadata;
  AppendBlock(&metadata, format::BlockKind::kProcess, process);
  const auto header = std::make_unique<format::RingHeader>();
  memcpy(header->magic, format::kRingMagic, sizeof(header->magic));
  header->version = format::kVersion;
  header->header_size = sizeof(format::RingHeader);
  header->process_key = kProcessKey;
  header->pid = pid;
  header->kernel_start_time = kernel_start_time;
  header->metadata_offset = sizeof(format::RingHeader);
  header->metadata_size = metadata.size();
  header->heartbeat_unix_nanos = kNow - 3600 * kSecond;
  return std::string(reinterpret_cast<const char*>(header.get()), sizeof(*header)) + metadata;
}

uint64_t PidOfDeadProcess() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return static_cast<uint64_t>(child);
}

TEST_CASE("the ring of a dead process whose run is gone is orphaned") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "data");
  const std::string ring =
      folder.Write("autotrace-0-1-abc", RingBytes(PidOfDeadProcess(), 7, folder / "data"));
  CHECK(OrphanedRings(folder.path(), kNow) == Names{ring});
  // The whole folder may be gone, too.
  std::filesystem::remove(folder / "data");
  CHECK(OrphanedRings(folder.path(), kNow) == Names{ring});
}

TEST_CASE("a ring that may still be of use is no orphan") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "data");
  const uint64_t own_pid = static_cast<uint64_t>(getpid());
  SECTION("its process runs") {
    folder.Write("autotrace-0-1-abc",
                 RingBytes(own_pid, exporter::KernelStartTime(own_pid), folder / "data"));
  }
  SECTION("it was written to just now") {
    folder.Write("autotrace-0-1-abc", RingBytes(PidOfDeadProcess(), 7, folder / "data"));
    CHECK(OrphanedRings(folder.path(), kNow - 3590 * kSecond).empty());
    std::filesystem::remove(folder / "autotrace-0-1-abc");
  }
  SECTION("it is not called like a ring") {
    folder.Write("other-0-1-abc", RingBytes(PidOfDeadProcess(), 7, folder / "data"));
  }
  SECTION("it is a link") {
    const std::string ring =
        folder.Write("data/ring", RingBytes(PidOfDeadProcess(), 7, folder / "data"));
    std::filesystem::create_symlink(ring, folder / "autotrace-0-1-abc");
  }
  SECTION("it is something else") { folder.Write("autotrace-0-1-abc", "text"); }
  CHECK(OrphanedRings(folder.path(), kNow).empty());
}

TEST_CASE("only empty folders that are called like runs go") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "20260801-142233.123456-4711");
  std::filesystem::create_directory(folder / "mine");
  std::filesystem::create_directory(folder / "20260801-142233.123456-4712");
  folder.Write("20260801-142233.123456-4712/file", "text");
  // Just made: a program may be about to write to it.
  CHECK(RemoveEmptyRuns(folder.path(), static_cast<uint64_t>(time(nullptr)) * kSecond) == 0);
  CHECK(RemoveEmptyRuns(folder.path(), static_cast<uint64_t>(time(nullptr) + 3600) * kSecond) == 1);
  CHECK_FALSE(std::filesystem::exists(folder / "20260801-142233.123456-4711"));
  CHECK(std::filesystem::exists(folder / "mine"));
  // What a killed program left that had sent everything; and one of a program that runs.
  folder.Write("20260801-142233.123456-4713/" + std::to_string(PidOfDeadProcess()) + "-7.control",
               "");
  folder.Write("20260801-142233.123456-4714/" + std::to_string(getpid()) + "-7.control", "");
  CHECK(RemoveEmptyRuns(folder.path(), static_cast<uint64_t>(time(nullptr) + 3600) * kSecond) == 1);
  CHECK_FALSE(std::filesystem::exists(folder / "20260801-142233.123456-4713"));
  CHECK(std::filesystem::exists(folder / "20260801-142233.123456-4712/file"));
}

}  // namespace
}  // namespace autotrace::cli
