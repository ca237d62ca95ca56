// Finding runs.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "exporter/process_liveness.h"
#include "tests/exporter/pack_builder.h"
#include "tests/exporter/recorded_run.h"

namespace autotrace::exporter {
namespace {

using test::TemporaryFolder;
using testing::kEpoch;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::StreamBuilder;

std::string SegmentOf(const ProcessFields& fields, bool ended = true) {
  StreamBuilder stream(fields);
  stream.Process().Clock(0, kEpoch);
  if (ended) stream.End(10, kEpoch + 10);
  return stream.Segment(0);
}

std::string Write(const TemporaryFolder& folder, const std::string& run,
                  const ProcessFields& fields, bool ended = true) {
  return folder.Write(run + "/" + SegmentName({fields.pid, fields.process_key}, 0),
                      SegmentOf(fields, ended));
}

TEST_CASE("names of runs are told from other names") {
  CHECK(IsRunName("20260801-142233.123456-4711"));
  for (const char* name :
       {"", "20260801-142233.123456-", "20260801-142233-4711", "2026080-142233.123456-4711",
        "20260801-142233.123456-4711x", "20260801-142233.12345-4711", "notes"}) {
    INFO(name);
    CHECK_FALSE(IsRunName(name));
  }
}

TEST_CASE("runs are listed oldest first, and what is no run is passed over") {
  const TemporaryFolder folder;
  ProcessFields fields;
  const std::string first = Write(folder, "20260801-142233.123456-4711", fields);
  fields.start_unix_nanos = kEpoch + 5;
  Write(folder, "20260802-000000.000000-99", fields);
  Write(folder, "backup", fields);
  folder.Write("20260803-000000.000000-1/notes.txt", "no segment");
  folder.Write("20260804-000000.000000-1", "a file");
  const absl::StatusOr<std::vector<Run>> runs = ListRuns(folder.path());
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 2);
  const Run& run = (*runs)[0];
  CHECK(run.name == "20260801-142233.123456-4711");
  CHECK(run.path == folder.path() + "/" + run.name);
  CHECK(run.start_unix_nanos == kEpoch);
  CHECK(run.bytes > 0);
  REQUIRE(run.processes.size() == 1);
  CHECK(run.processes[0].pid == 4711);
  CHECK(run.processes[0].executable == "/opt/app/bin/my_service");
  CHECK(run.processes[0].segments == std::vector<std::string>{first});
  CHECK((*runs)[1].start_unix_nanos == kEpoch + 5);
}

TEST_CASE("a folder that is not there holds no runs") {
  const TemporaryFolder folder;
  const absl::StatusOr<std::vector<Run>> runs = ListRuns(folder.path() + "/none");
  REQUIRE(runs.ok());
  CHECK(runs->empty());
}

TEST_CASE("a run is found by name, by path, and as the newest") {
  const TemporaryFolder folder;
  Write(folder, "20260801-142233.123456-4711", {});
  Write(folder, "20260802-142233.123456-4711", {});
  Write(folder, "renamed", {});
  folder.Write("20260803-000000.000000-1/notes.txt", "no segment");
  const auto name = [&](const std::string& wanted) {
    const absl::StatusOr<Run> run = FindRun(folder.path(), wanted);
    return run.ok() ? run->name : std::string(run.status().message());
  };
  CHECK(name("") == "20260802-142233.123456-4711");
  CHECK(name("20260801-142233.123456-4711") == "20260801-142233.123456-4711");
  CHECK(name(folder.path() + "/renamed/") == "renamed");
}

std::string PackOf(const ProcessFields& fields, const std::string& run) {
  return testing::MakePack({{SegmentName({fields.pid, fields.process_key}, 0), SegmentOf(fields)}},
                           run);
}

TEST_CASE("a packed run is found by its name, by path, through a link, and as the newest") {
  const TemporaryFolder folder;
  constexpr char kOld[] = "20260801-142233.123456-4711";
  constexpr char kNew[] = "20260802-142233.123456-4711";
  Write(folder, kOld, {});
  const std::string pack = folder.Write("data/" + std::string(kNew) + ".atpack", PackOf({}, kNew));
  std::filesystem::rename(folder / kOld, folder / ("data/" + std::string(kOld)));
  REQUIRE(symlink(pack.c_str(), (folder / "link").c_str()) == 0);
  folder.Write("other.atpack", PackOf({}, kNew));
  for (const std::string& wanted :
       {std::string(), std::string(kNew), kNew + std::string(".atpack"), pack,
        folder / "data/" + kNew, folder / "link", folder / "other.atpack"}) {
    INFO(wanted);
    const absl::StatusOr<Run> run = FindRun(folder / "data", wanted);
    REQUIRE(run.ok());
    CHECK(run->name == kNew);
    REQUIRE(run->pack != nullptr);
    REQUIRE(run->processes.size() == 1);
    CHECK(run->processes[0].pid == 4711);
    CHECK(run->processes[0].state == ProcessState::kEnded);
  }
  const absl::StatusOr<std::vector<Run>> runs = ListRuns(folder / "data");
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 2);
  CHECK((*runs)[0].name == kOld);
  CHECK((*runs)[1].name == kNew);
  CHECK((*runs)[1].path == pack);
  CHECK((*runs)[1].bytes == std::filesystem::file_size(pack));
}

TEST_CASE("a run that is there as a folder and as a pack is one run, in the folder") {
  const TemporaryFolder folder;
  constexpr char kName[] = "20260801-142233.123456-4711";
  Write(folder, kName, {});
  const std::string pack = folder.Write(std::string(kName) + ".atpack", PackOf({}, kName));
  const absl::StatusOr<std::vector<Run>> runs = ListRuns(folder.path());
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 1);
  CHECK(runs->front().pack == nullptr);
  for (const char* wanted : {"", kName}) {
    CHECK(FindRun(folder.path(), wanted)->path == folder / kName);
  }
  CHECK(FindRun(folder.path(), pack)->path == pack);
}

TEST_CASE("a link that is called like a pack is no run") {
  const TemporaryFolder folder;
  constexpr char kName[] = "20260801-142233.123456-4711";
  const std::string pack = folder.Write("elsewhere", PackOf({}, kName));
  REQUIRE(symlink(pack.c_str(), (folder / kName + ".atpack").c_str()) == 0);
  CHECK(ListRuns(folder.path())->empty());
  CHECK(absl::IsNotFound(FindRun(folder.path(), "").status()));
  CHECK(absl::IsNotFound(FindRun(folder.path(), kName).status()));
}

TEST_CASE("a process in a pack never runs, whatever has its number now") {
  const TemporaryFolder folder;
  ProcessFields fields;
  fields.pid = static_cast<uint64_t>(getpid());
  fields.kernel_start_time = KernelStartTime(fields.pid);
  const std::string pack =
      folder.Write("pack", testing::MakePack({{SegmentName({fields.pid, fields.process_key}, 0),
                                               SegmentOf(fields, /*ended=*/false)}},
                                             "run"));
  const absl::StatusOr<Run> run = FindRun("", pack);
  REQUIRE(run.ok());
  CHECK(run->processes[0].state == ProcessState::kDied);
}

TEST_CASE("a file that is no pack, and a pack of which nothing is whole, say so by their names") {
  const TemporaryFolder folder;
  const std::string text = folder.Write("notes.txt", "of somebody else's");
  CHECK_THAT(std::string(FindRun("", text).status().message()),
             Catch::Contains(text) && Catch::Contains("is no packed run"));
  std::string bytes = PackOf({}, "run");
  for (size_t at = 16; at < bytes.size(); at += 8) bytes[at] = '\1';
  const std::string pack = folder.Write("pack", bytes);
  CHECK_THAT(std::string(FindRun("", pack).status().message()),
             Catch::Contains(pack) && Catch::Contains("nothing is whole"));
}

TEST_CASE("when there is no run the message says where was looked and how to record one") {
  const TemporaryFolder folder;
  for (const char* wanted : {"", "20260801-142233.123456-4711"}) {
    const absl::StatusOr<Run> run = FindRun(folder.path(), wanted);
    REQUIRE(absl::IsNotFound(run.status()));
    const std::string message(run.status().message());
    CHECK_THAT(message, Catch::Matchers::Contains(folder.path()) &&
                            Catch::Matchers::Contains("AUTOTRACE_MODULES"));
  }
}

TEST_CASE("processes stand in the order they were started") {
  const TemporaryFolder folder;
  ProcessFields first;
  first.pid = 9000;
  first.process_key = 0xffff;
  ProcessFields second;
  second.pid = 12;
  second.process_key = 1;
  second.start_unix_nanos = kEpoch + 1;
  Write(folder, "20260801-142233.123456-4711", second);
  Write(folder, "20260801-142233.123456-4711", first);
  const absl::StatusOr<Run> run = FindRun(folder.path(), "");
  REQUIRE(run.ok());
  REQUIRE(run->processes.size() == 2);
  CHECK(run->processes[0].pid == 9000);
  CHECK(run->processes[1].pid == 12);
}

TEST_CASE("a process is running, ended or died") {
  const RecordedRun recorded;
  ProcessFields fields = recorded.Fields(/*running=*/true);
  const auto state = [&](bool ended) {
    StreamBuilder stream(fields);
    stream.Process();
    if (ended) stream.End(1, kEpoch);
    recorded.AddSegment(stream, 0);
    const absl::StatusOr<Run> run = recorded.Find();
    REQUIRE(run.ok());
    return run->processes[0].state;
  };
  CHECK(state(false) == ProcessState::kRunning);
  CHECK(state(true) == ProcessState::kEnded);
  fields.kernel_start_time -= 1;  // the pid belongs to another process now
  CHECK(state(false) == ProcessState::kDied);
}

}  // namespace
}  // namespace autotrace::exporter
