#include "exporter/run_packer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "exporter/packed_folder.h"
#include "exporter/run_unpacker.h"
#include "runtime/block_stream.h"
#include "tests/exporter/recorded_run.h"
#include "tests/exporter/small_program.h"

namespace autotrace::exporter {
namespace {

using testing::Begin;
using testing::kEpoch;
using testing::kRun;
using testing::kRunName;
using testing::MakeFrame;
using testing::Preamble;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::Records;
using testing::RingBuilder;
using testing::StreamBuilder;
using testing::WithChildren;

constexpr char kSummary[] = "4711-00c0ffee00c0ffee.summary";
constexpr char kSent[] = "4711-00c0ffee00c0ffee.sent";

// What is in the run's folder, by name; empty when there is none.
std::map<std::string, std::string> FilesOf(const RecordedRun& recorded) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(recorded.path())) return files;
  for (const auto& entry : std::filesystem::directory_iterator(recorded.path())) {
    files[entry.path().filename().string()] = test::ReadFile(entry.path().string());
  }
  return files;
}

std::string PackPath(const RecordedRun& recorded) { return recorded.path() + ".atpack"; }

// Two segments of a process that ended, and its summary.
void WriteEnded(const RecordedRun& recorded) {
  const ProcessFields fields;
  recorded.AddSegment(Preamble(fields).Add(1, WithChildren(Begin(), 2, 50), 1000), 0);
  Records rest = WithChildren({}, 52, 40);
  rest.Span({.function = kRun, .start = 5, .end = 990, .sequence = 1});
  StreamBuilder stream = Preamble(fields);
  recorded.AddSegment(stream.State(1, Begin(), true).Add(1, rest, 1000).End(1000, kEpoch + 1000),
                      1);
  recorded.AddFile(kSummary, "91 spans");
}

// A process that died with its root open and two spans in the ring that no segment has.
void WriteDied(const RecordedRun& recorded, const ProcessFields& fields) {
  const Records written = WithChildren(Begin(), 2, 1);
  recorded.AddSegment(Preamble(fields).Add(1, written, 1000), 0);
  StreamBuilder open(fields);
  open.OpenFrames(1, 50, {MakeFrame(kRun, 5, 1)});
  RingBuilder ring(fields);
  recorded.SetRing(ring.Chunk(1, 1, WithChildren(written, 3, 2)).OpenFrames(open).Heartbeat(50));
}

std::vector<std::string> Spans(const RecordedRun& recorded) {
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(result.statistics.warnings.empty());
  std::vector<std::string> spans;
  for (const testing::CollectedSpan& span : result.sink.spans) {
    spans.push_back(span.name + " " + Hex(span.span.trace_id) + " " + Hex(span.span.span_id) + " " +
                    Hex(span.span.parent_span_id) + " " +
                    std::to_string(span.span.start_unix_nanos) + " " +
                    std::to_string(span.span.end_unix_nanos));
  }
  return spans;
}

TEST_CASE("packed, a run gives the same spans, and nothing else is left of it") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  const std::vector<std::string> before = Spans(recorded);
  REQUIRE(before.size() == 91);
  const absl::StatusOr<PackedRun> packed = PackRun(*recorded.Find(), {});
  REQUIRE(packed.ok());
  CHECK(packed->path == PackPath(recorded));
  CHECK(packed->bytes == std::filesystem::file_size(packed->path));
  CHECK(packed->bytes < packed->files_bytes / 2);
  CHECK(recorded.folder().Entries() == std::vector<std::string>{kRunName + std::string(".atpack")});
  CHECK(Spans(recorded) == before);
}

TEST_CASE("a pack is private to its owner whatever the umask") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  const mode_t mask = umask(0);
  const absl::StatusOr<PackedRun> packed = PackRun(*recorded.Find(), {});
  umask(mask);
  REQUIRE(packed.ok());
  struct stat facts;
  REQUIRE(stat(packed->path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("the folder can be kept, and the pack put elsewhere") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  const auto before = FilesOf(recorded);
  const std::string output = recorded.folder().Write("elsewhere/slow.atpack", "an older one");
  PackOptions options;
  options.keep_folder = true;
  options.output = output;
  REQUIRE(PackRun(*recorded.Find(), options).ok());
  CHECK(FilesOf(recorded) == before);
  CHECK_FALSE(std::filesystem::exists(PackPath(recorded)));
  const absl::StatusOr<Run> run = FindRun("", output);
  REQUIRE(run.ok());
  CHECK(run->name == kRunName);
}

TEST_CASE("a link where the pack is to be is replaced, not followed") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  const std::string precious = recorded.folder().Write("precious", "untouched");
  REQUIRE(symlink(precious.c_str(), PackPath(recorded).c_str()) == 0);
  REQUIRE(PackRun(*recorded.Find(), {}).ok());
  CHECK(test::ReadFile(precious) == "untouched");
  CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(PackPath(recorded))));
}

TEST_CASE("what a process that died left in its ring is packed with the rest") {
  const RecordedRun recorded;
  WriteDied(recorded, recorded.Fields());
  const std::vector<std::string> before = Spans(recorded);
  REQUIRE(before.size() == 4);
  REQUIRE(PackRun(*recorded.Find(), {}).ok());
  CHECK_FALSE(recorded.HasRing());
  CHECK(Spans(recorded) == before);
  const absl::StatusOr<Run> run = recorded.Find();
  CHECK(run->processes[0].state == ProcessState::kDied);
  CHECK(run->processes[0].ring_path.empty());
}

// Not packed, for this reason, and as it was.
void CheckRefused(const RecordedRun& recorded, const std::string& reason,
                  const PackOptions& options = {}) {
  const auto before = FilesOf(recorded);
  const absl::StatusOr<PackedRun> packed = PackRun(*recorded.Find(), options);
  REQUIRE_FALSE(packed.ok());
  CHECK_THAT(std::string(packed.status().message()), Catch::Contains(reason));
  CHECK(FilesOf(recorded) == before);
  for (const std::string& name : recorded.folder().Entries()) {
    INFO(name);
    CHECK_FALSE(name.starts_with(kRunName + std::string(".")));
  }
}

TEST_CASE("a run that may still be written to is not packed") {
  const RecordedRun recorded;
  ProcessFields fields = recorded.Fields();
  SECTION("its process runs") {
    WriteDied(recorded, recorded.Fields(/*running=*/true));
    CheckRefused(recorded, "still runs");
  }
  SECTION("its process ran on another machine") {
    fields.host_name = "surely-not-this-host";
    WriteDied(recorded, fields);
    CheckRefused(recorded, "ran on surely-not-this-host");
  }
  SECTION("a ring is there that is not the process's") {
    WriteDied(recorded, fields);
    ProcessFields other = fields;
    other.process_key ^= 1;
    recorded.SetRing(RingBuilder(other));
    CheckRefused(recorded, recorded.ring_path());
  }
}

TEST_CASE("a run that somebody else is at work on is not packed") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  std::string locked = recorded.path();
  SECTION("who recovers or packs it") {}
  SECTION("who sends it") {
    recorded.AddFile(kSent, "");
    locked += std::string("/") + kSent;
  }
  const FileHandle file(open(locked.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(flock(file.get(), LOCK_EX) == 0);
  if (locked != recorded.path()) CheckRefused(recorded, "another autotracer is at work");
  const absl::StatusOr<PackedFolder> folder = PackedFolder::Open(recorded.path());
  CHECK(absl::IsAborted(folder.status()));
}

TEST_CASE("something in the folder that is no file of a run keeps it from going") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  SECTION("a file") { recorded.AddFile("notes.txt", "mine"); }
  SECTION("a folder") { recorded.AddFile("more/notes.txt", "mine"); }
  SECTION("a link") {
    REQUIRE(symlink("/etc/passwd", (recorded.path() + "/" + kSent).c_str()) == 0);
  }
  const absl::StatusOr<PackedRun> packed = PackRun(*recorded.Find(), {});
  CHECK(absl::IsFailedPrecondition(packed.status()));
  CHECK_FALSE(std::filesystem::exists(PackPath(recorded)));
  PackOptions keep;
  keep.keep_folder = true;
  CHECK(PackRun(*recorded.Find(), keep).ok());
}

TEST_CASE("files of programs that are gone go with the folder") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  recorded.AddFile("4711-00c0ffee00c0ffee.control", "");
  recorded.AddFile("4711-00c0ffee00c0ffee.000002.seg.recovering", "half");
  REQUIRE(PackRun(*recorded.Find(), {}).ok());
  CHECK(FilesOf(recorded).empty());
  CHECK(Spans(recorded).size() == 91);
}

TEST_CASE("where the pack cannot be written the run stays as it was") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  SECTION("a limit on the size of files") {
    rlimit before;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit small = {500, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const absl::StatusOr<PackedRun> packed = PackRun(*recorded.Find(), {});
    setrlimit(RLIMIT_FSIZE, &before);
    REQUIRE_FALSE(packed.ok());
    CHECK_THAT(std::string(packed.status().message()),
               Catch::Contains("cannot write " + PackPath(recorded)));
    CHECK(recorded.folder().Entries() == std::vector<std::string>{kRunName});
  }
  SECTION("no such folder") {
    PackOptions options;
    options.output = "/nowhere/x.atpack";
    CheckRefused(recorded, "cannot write /nowhere/x.atpack", options);
  }
  CHECK(Spans(recorded).size() == 91);
}

TEST_CASE("a folder that changed after it was packed is not removed") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  absl::StatusOr<PackedFolder> folder = PackedFolder::Open(recorded.path());
  REQUIRE(folder.ok());
  SECTION("a process joined it") { recorded.AddFile("12-00c0ffee00c0ffee.000000.seg", "new"); }
  SECTION("a file grew") { recorded.AddFile(kSummary, "91 spans and more"); }
  SECTION("a file went") { std::filesystem::remove(recorded.path() + "/" + kSummary); }
  SECTION("somebody put something there") { recorded.AddFile("notes.txt", "mine"); }
  const auto before = FilesOf(recorded);
  CHECK(absl::IsAborted(folder->Remove()));
  CHECK(FilesOf(recorded) == before);
}

TEST_CASE("a folder that is gone when it is to go is gone") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  absl::StatusOr<PackedFolder> folder = PackedFolder::Open(recorded.path());
  REQUIRE(folder.ok());
  std::filesystem::remove_all(recorded.path());
  CHECK(folder->Remove().ok());
}

TEST_CASE("what root packs stays its user's, and another user's file is not packed with it") {
  if (geteuid() != 0) {
    WARN("only root can make files of somebody else's: not tested");
    return;
  }
  const RecordedRun recorded;
  WriteEnded(recorded);
  constexpr uid_t kNobody = 65534;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(recorded.path())) {
    REQUIRE(chown(entry.path().c_str(), kNobody, kNobody) == 0);
  }
  REQUIRE(chown(recorded.path().c_str(), kNobody, kNobody) == 0);
  recorded.AddFile("12-00c0ffee00c0ffee.summary", "of root");
  CheckRefused(recorded, "12-00c0ffee00c0ffee.summary");
  std::filesystem::remove(recorded.path() + "/12-00c0ffee00c0ffee.summary");
  REQUIRE(PackRun(*recorded.Find(), {}).ok());
  struct stat facts;
  REQUIRE(stat(PackPath(recorded).c_str(), &facts) == 0);
  CHECK(facts.st_uid == kNobody);
  REQUIRE(UnpackRun(*recorded.Find()).ok());
  REQUIRE(stat((recorded.path() + "/" + kSummary).c_str(), &facts) == 0);
  CHECK(facts.st_uid == kNobody);
}

TEST_CASE("unpacked again, a run's folder is as it was") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  recorded.AddFile("4712-00c0ffee00c0ffee.summary", "");
  const auto before = FilesOf(recorded);
  REQUIRE(PackRun(*recorded.Find(), {}).ok());
  const absl::StatusOr<std::string> folder = UnpackRun(*recorded.Find());
  REQUIRE(folder.ok());
  CHECK(*folder == recorded.path());
  CHECK(FilesOf(recorded) == before);
  CHECK(recorded.folder().Entries() == std::vector<std::string>{kRunName});
  struct stat facts;
  REQUIRE(stat((recorded.path() + "/" + kSummary).c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("what cannot be unpacked whole stays packed") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  REQUIRE(PackRun(*recorded.Find(), {}).ok());
  std::string bytes = test::ReadFile(PackPath(recorded));
  SECTION("it is cut off") { bytes.resize(bytes.size() - 30); }
  SECTION("a frame is damaged") { bytes[300] ^= 1; }
  test::WriteFile(PackPath(recorded), bytes);
  CHECK(absl::IsDataLoss(UnpackRun(*recorded.Find()).status()));
  CHECK(recorded.folder().Entries() == std::vector<std::string>{kRunName + std::string(".atpack")});
  CHECK(test::ReadFile(PackPath(recorded)) == bytes);
}

TEST_CASE("a pack is not unpacked over the run's folder") {
  const RecordedRun recorded;
  WriteEnded(recorded);
  PackOptions keep;
  keep.keep_folder = true;
  REQUIRE(PackRun(*recorded.Find(), keep).ok());
  const auto before = FilesOf(recorded);
  CHECK(absl::IsAlreadyExists(UnpackRun(*FindRun("", PackPath(recorded))).status()));
  CHECK(FilesOf(recorded) == before);
}

TEST_CASE("what killed packers left is removed, and nothing that is in use or foreign") {
  const test::TemporaryFolder folder;
  const std::string run = kRunName;
  const std::string segment = "/4711-00c0ffee00c0ffee.000000.seg";
  folder.Write(run + ".atpack.0badcafe.packing", "half");
  folder.Write(run + ".removing" + segment, "rest");
  folder.Write(run + ".unpacking" + segment, "half");
  const std::vector<std::string> stay = {run, run + ".atpack", run + ".atpack.00000001.packing",
                                         "notes.txt.packing", "other.removing"};
  folder.Write(stay[0] + segment, "a run");
  folder.Write(stay[1], "a pack");
  const FileHandle used(open(folder.Write(stay[2], "being made").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(flock(used.get(), LOCK_EX) == 0);
  folder.Write(stay[3], "mine");
  folder.Write(stay[4] + segment, "mine");
  CHECK(RemovePackingLeftovers(folder.path()) == 3);
  CHECK(folder.Entries() == stay);
  // Nor is what somebody put into such a folder.
  folder.Write(run + ".removing/notes.txt", "mine");
  CHECK(RemovePackingLeftovers(folder.path()) == 0);
  CHECK(test::ReadFile(folder / run + ".removing/notes.txt") == "mine");
}

}  // namespace
}  // namespace autotrace::exporter
