#include "exporter/recover.h"

#include <sys/file.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/exporter/recorded_run.h"
#include "tests/exporter/small_program.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using testing::Begin;
using testing::kEpoch;
using testing::kRun;
using testing::MakeFrame;
using testing::Preamble;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::Records;
using testing::RingBuilder;
using testing::StreamBuilder;
using testing::WithChildren;

// A process that died with its root open and two spans in the ring that no segment has.
void WriteDeadProcess(const RecordedRun& recorded, const ProcessFields& fields) {
  const Records written = WithChildren(Begin(), 2, 1);
  recorded.AddSegment(Preamble(fields).Add(1, written, 1000), 0);

  const Records all = WithChildren(written, 3, 2);
  StreamBuilder open(fields);
  open.OpenFrames(1, 50, {MakeFrame(kRun, 5, 1)});
  RingBuilder ring(fields);
  ring.Chunk(1, 1, all).OpenFrames(open).Heartbeat(50);
  recorded.SetRing(ring.Counter(format::Counter::kDroppedInHook, 2));
}

struct Summary {
  std::vector<std::string> spans;
  uint64_t unfinished = 0;
  std::map<std::string, uint64_t> dropped;
  friend bool operator==(const Summary&, const Summary&) = default;
};
Summary Summarize(const RecordedRun& recorded) {
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(result.statistics.warnings.empty());
  Summary summary;
  for (const testing::CollectedSpan& span : result.sink.spans) {
    summary.spans.push_back(span.name + " " + Hex(span.span.trace_id) + " " +
                            Hex(span.span.span_id) + " " + Hex(span.span.parent_span_id) + " " +
                            std::to_string(span.span.start_unix_nanos) + " " +
                            std::to_string(span.span.end_unix_nanos));
  }
  summary.unfinished = result.statistics.unfinished;
  summary.dropped = result.statistics.dropped;
  return summary;
}

TEST_CASE("after recovery the run gives the same spans without its ring") {
  const RecordedRun recorded;
  WriteDeadProcess(recorded, recorded.Fields());
  const Summary before = Summarize(recorded);
  REQUIRE(before.spans.size() == 4);
  REQUIRE(RecoverRun(*recorded.Find()).ok());
  CHECK_FALSE(recorded.HasRing());
  CHECK(Summarize(recorded) == before);
  const absl::StatusOr<Run> run = recorded.Find();
  REQUIRE(run.ok());
  CHECK(run->processes[0].ring_path.empty());
  CHECK(run->processes[0].state == ProcessState::kDied);
}

TEST_CASE("the recovered segment can be read alone") {
  const RecordedRun recorded;
  WriteDeadProcess(recorded, recorded.Fields());
  REQUIRE(RecoverRun(*recorded.Find()).ok());
  std::filesystem::remove(recorded.SegmentPath(recorded.Fields(), 0));
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.sink.Names() == std::vector<std::string>{"load", "load", "run"});
  CHECK(result.sink.spans[0].span.thread->name == "main");
  CHECK(result.sink.spans[0].span.parent_span_id == result.sink.spans[2].span.span_id);
}

TEST_CASE("recovering twice changes nothing") {
  const RecordedRun recorded;
  WriteDeadProcess(recorded, recorded.Fields());
  const Run run = *recorded.Find();
  REQUIRE(RecoverRun(run).ok());
  const uint64_t bytes = recorded.Find()->bytes;
  REQUIRE(RecoverRun(run).ok());
  CHECK(recorded.Find()->bytes == bytes);
}

TEST_CASE("a recovery that was killed before it removed the ring is finished by the next one") {
  const RecordedRun recorded;
  WriteDeadProcess(recorded, recorded.Fields());
  const Summary before = Summarize(recorded);
  const std::string ring = test::ReadFile(recorded.ring_path());
  REQUIRE(RecoverRun(*recorded.Find()).ok());
  const uint64_t bytes = recorded.Find()->bytes;
  recorded.folder().Write("ring", ring);
  CHECK(Summarize(recorded) == before);  // what stands in both is read once
  REQUIRE(RecoverRun(*recorded.Find()).ok());
  CHECK_FALSE(recorded.HasRing());
  CHECK(recorded.Find()->bytes == bytes);
  CHECK(Summarize(recorded) == before);
}

TEST_CASE("recoveries at the same time do not harm") {
  const RecordedRun recorded;
  WriteDeadProcess(recorded, recorded.Fields());
  const Summary before = Summarize(recorded);
  const Run run = *recorded.Find();
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { failed += RecoverRun(run).ok() ? 0 : 1; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK_FALSE(recorded.HasRing());
  CHECK(Summarize(recorded) == before);
}

TEST_CASE("running processes, other machines' and other processes' rings are left alone") {
  const RecordedRun recorded;
  ProcessFields fields = recorded.Fields();
  ProcessFields ring = fields;
  SECTION("running") { fields = ring = recorded.Fields(/*running=*/true); }
  SECTION("another machine") { fields.host_name = "surely-not-this-host"; }
  SECTION("another process's ring") { ring.process_key ^= 1; }
  WriteDeadProcess(recorded, fields);
  recorded.SetRing(RingBuilder(ring));
  const uint64_t bytes = recorded.Find()->bytes;
  CHECK(RecoverRun(*recorded.Find()).ok());
  CHECK(recorded.HasRing());
  CHECK(recorded.Find()->bytes == bytes);
}

TEST_CASE("a ring left by a process that ended in an orderly way is removed") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  Records records;
  records.TraceBegin({.function = kRun, .start = 5, .root_sequence = 1});
  records.Span({.function = kRun, .start = 5, .end = 25, .sequence = 1});
  StreamBuilder stream(fields);
  recorded.AddSegment(stream.Process().Clock(0, kEpoch).Add(1, records, 99).End(99, kEpoch + 99),
                      0);
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, records).Heartbeat(50));
  REQUIRE(RecoverRun(*recorded.Find()).ok());
  CHECK_FALSE(recorded.HasRing());
  CHECK(recorded.Find()->processes[0].state == ProcessState::kEnded);
  CHECK(recorded.Find()->processes[0].segments.size() == 1);
}

TEST_CASE("a truncated segment is left as it is, and what it lacks is recovered") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  WriteDeadProcess(recorded, fields);
  const std::string path = recorded.SegmentPath(fields, 0);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 10);
  REQUIRE(RecoverRun(*recorded.Find()).ok());
  CHECK_FALSE(recorded.HasRing());
  CHECK(recorded.Read().statistics.spans == 4);
}

}  // namespace
}  // namespace autotrace::exporter
