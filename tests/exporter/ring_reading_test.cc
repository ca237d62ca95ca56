// Reading a ring beside the segments: of processes that died, and of such that run.
#include <catch2/catch.hpp>

#include "exporter/recover.h"
#include "tests/exporter/recorded_run.h"
#include "tests/exporter/small_program.h"

namespace autotrace::exporter {
namespace {

using testing::Begin;
using testing::kEpoch;
using testing::kLoad;
using testing::kRun;
using testing::MakeFrame;
using testing::ModulePayload;
using testing::Preamble;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::Records;
using testing::RingBuilder;
using testing::StreamBuilder;
using testing::WithChildren;

constexpr uint64_t kNow = 1'000'000;

std::vector<uint64_t> Starts(const RecordedRun::Result& result) {
  std::vector<uint64_t> starts;
  for (const testing::CollectedSpan& span : result.sink.spans) {
    if (span.name == "load") starts.push_back((span.span.start_unix_nanos - kEpoch) / 10);
  }
  return starts;
}

TEST_CASE("records in the ring and in a segment are read once, in order, running or dead") {
  const RecordedRun recorded;
  const bool running = GENERATE(false, true);
  const ProcessFields fields = recorded.Fields(running);
  const Records whole = WithChildren(Begin(), 2, 6);
  // The segment holds the chunk's first four children.
  recorded.AddSegment(Preamble(fields).Add(1, WithChildren(Begin(), 2, 4), kNow), 0);
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, whole).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(Starts(result) == std::vector<uint64_t>{2, 3, 4, 5, 6, 7});
  CHECK(result.statistics.warnings.empty());
  for (const testing::CollectedSpan& span : result.sink.spans) {
    CHECK(span.span.trace_id == result.sink.spans[0].span.trace_id);
  }
}

TEST_CASE("what a damaged segment lost is taken from the ring") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  const Records head = WithChildren(Begin(), 2, 1);
  const Records second = WithChildren({}, 3, 1);
  const Records third = WithChildren({}, 4, 1);
  StreamBuilder stream = Preamble(fields);
  const size_t damage = stream.Add(1, head, kNow).Segment(0).size();
  stream.Add(1, second, kNow, 1, head.size());
  std::string bytes = stream.Add(1, third, kNow, 1, head.size() + second.size()).Segment(0);
  bytes[damage + 20] ^= 1;
  recorded.AddFile(SegmentName({fields.pid, fields.process_key}, 0), bytes);
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, WithChildren(Begin(), 2, 3)).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  CHECK(Starts(result) == std::vector<uint64_t>{2, 4, 3});
  CHECK(result.sink.spans[2].span.trace_id == result.sink.spans[0].span.trace_id);
}

TEST_CASE("chunks of a thread are read in their order, wherever they lie") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(Preamble(fields), 0);
  RingBuilder ring(fields);
  Records resumed;
  resumed.TraceBegin({.function = kRun, .root_sequence = 1, .flags = format::kTraceResumed});
  ring.Chunk(1, 12, WithChildren(resumed, 8, 2));
  ring.Chunk(1, 3, WithChildren({}, 77, 2), format::ChunkState::kFree);
  ring.Chunk(1, 11, WithChildren(Begin(), 4, 2), format::ChunkState::kFull).Heartbeat(kNow);
  recorded.SetRing(ring);
  CHECK(Starts(recorded.Read()) == std::vector<uint64_t>{4, 5, 8, 9});
}

TEST_CASE("a root that had ended before what is left of its chunk is not taken for an open one") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  Records records = WithChildren(Begin(), 2, 1);
  records.Span({.function = kRun, .start = 5, .end = 30, .sequence = 1});
  const uint32_t drained = records.size();
  recorded.AddSegment(Preamble(fields).Add(1, records, 99), 0);
  Records whole = records;
  whole.TraceBegin({.function = kRun, .start = 40, .root_sequence = 3});
  whole.Span({.function = kRun, .start = 40, .end = 50, .sequence = 3});
  REQUIRE(whole.size() > drained);
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, whole).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.sink.Names() == std::vector<std::string>{"load", "run", "run"});
  CHECK(result.statistics.unfinished == 0);
}

TEST_CASE("a chunk ends at the first word that was not committed") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(Preamble(fields), 0);
  Records records = WithChildren(Begin(), 2, 1);
  records.Word(0);  // a record whose thread was killed before it wrote the head
  records.Word(123).Word(456).Word(789);
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, WithChildren(records, 3, 1)).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  CHECK(Starts(result) == std::vector<uint64_t>{2});
  CHECK(result.statistics.warnings.empty());
}

TEST_CASE("records newer than the last heartbeat, and those of an idle clock, are dated right") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  const uint64_t wrap = uint64_t{1} << 48;
  const uint64_t now = 3 * wrap + 500;
  StreamBuilder stream(fields);
  stream.Process().Module(1, "/opt/app", 0x1000, 0x9000).Clock(now, kEpoch);
  recorded.AddSegment(stream.Function(kLoad, "load", 1).Function(kRun, "run", 1), 0);
  Records records = Begin();
  records.Span(
      {.function = kLoad, .start = now - 1000, .end = now - 600, .sequence = 2, .parent = 1});
  records.Span(
      {.function = kLoad, .start = now + 600, .end = now + 1000, .sequence = 3, .parent = 1});
  RingBuilder ring(fields);
  SECTION("by the heartbeat") { ring.Chunk(1, 1, records).Heartbeat(now); }
  SECTION("by the moment the chunk was claimed, without heartbeats") {
    ring.Chunk(1, 1, records, format::ChunkState::kOwned, now - 2000);
  }
  recorded.SetRing(ring);
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.sink.spans.size() == 3);  // and their root
  CHECK(result.sink.spans[0].span.end_unix_nanos == kEpoch - 600);
  CHECK(result.sink.spans[1].span.end_unix_nanos == kEpoch + 1000);
}

TEST_CASE("what only the ring's metadata tells is used") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(StreamBuilder(fields).Process().Clock(0, kEpoch), 0);
  StreamBuilder metadata(fields);
  metadata.Module(1, "/opt/app", 0x1000, 0x9000).Function(kLoad, "_ZN3new4loadEv", 1);
  metadata.Thread(1, 77, "late");
  recorded.SetRing(RingBuilder(fields)
                       .Metadata(metadata)
                       .Chunk(1, 1, WithChildren(Begin(), 2, 1))
                       .Counter(format::Counter::kDroppedRingFull, 9)
                       .Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.sink.spans.size() == 2);  // its root had begun
  CHECK(result.sink.spans[0].name == "new::load");
  CHECK(result.sink.spans[0].span.thread->name == "late");
  CHECK(result.statistics.dropped.at("ring_full") == 9);
}

TEST_CASE("modules that only records in the ring tell of are known, whichever thread's they are") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(Preamble(fields).Module(2, "/new", 0x1000, 0x9000, 0, {}, 25), 0);
  // In the chunk of a later thread; that module 2 came stands in the segment, and came before.
  const Records news = Records().Module(ModulePayload(3, "/newer", 0x1000, 0x9000, 0, {}, 35));
  recorded.SetRing(RingBuilder(fields)
                       .Chunk(1, 1, WithChildren(Begin(), 2, 3))
                       .Chunk(2, 1, news)
                       .Heartbeat(kNow));
  for (const bool recover : {false, true}) {
    if (recover) REQUIRE(RecoverRun(*recorded.Find()).ok());
    const RecordedRun::Result result = recorded.Read();
    CHECK(result.statistics.warnings.empty());
    CHECK(result.sink.Names() ==
          std::vector<std::string>{"load", "new+0x1200", "newer+0x1200", "run"});
  }
}

TEST_CASE("a trace that ended before the part that only the ring has is not open again") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  Records ended = WithChildren(Begin(), 2, 1);
  ended.Span({.function = kRun, .start = 5, .end = 40, .sequence = 1});
  recorded.AddSegment(Preamble(fields).Add(1, ended, kNow), 0);
  ended.Span(
      {.function = kLoad, .start = 70, .end = 75, .sequence = 7, .flags = format::kSpanAlone});
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, ended).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.sink.Names() == std::vector<std::string>{"load", "run", "load"});
  CHECK(result.statistics.unfinished == 0);
}

TEST_CASE("spans open when the process died are unfinished, and those that ended are not") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  // The segment already has the end of `load`, which the older copy of the open frames has open.
  Records records = Begin();
  records.Span({.function = kLoad, .start = 50, .end = 120, .sequence = 2, .parent = 1});
  recorded.AddSegment(Preamble(fields).Add(1, records, 200), 0);
  StreamBuilder open(fields);
  open.OpenFrames(1, 100, {MakeFrame(kRun, 5, 1), MakeFrame(kLoad, 50, 0)});
  recorded.SetRing(RingBuilder(fields).Chunk(1, 1, records).OpenFrames(open).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.sink.Names() == std::vector<std::string>{"load", "run"});
  CHECK_FALSE(result.sink.spans[0].span.unfinished);
  CHECK(result.sink.spans[1].span.unfinished);
  CHECK(result.sink.spans[1].span.end_unix_nanos == kEpoch + 120);
  CHECK(result.sink.spans[0].span.parent_span_id == result.sink.spans[1].span.span_id);
  CHECK(result.statistics.unfinished == 1);
}

TEST_CASE("a file that is not this process's ring is not read") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(Preamble(fields).Add(1, WithChildren(Begin(), 2, 1), kNow), 0);
  ProcessFields other = fields;
  SECTION("another process's key") { other.process_key ^= 1; }
  SECTION("another pid") { other.pid += 1; }
  SECTION("another start") { other.kernel_start_time += 1; }
  recorded.SetRing(RingBuilder(other).Chunk(1, 1, WithChildren(Begin(), 2, 5)).Heartbeat(kNow));
  const RecordedRun::Result result = recorded.Read();
  CHECK(Starts(result) == std::vector<uint64_t>{2});
  CHECK(result.Warns("the ring of another process"));
}

TEST_CASE("a ring behind a symbolic link is not read") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(Preamble(fields), 0);
  const std::string real = recorded.folder().Write(
      "real", RingBuilder(fields).Chunk(1, 1, WithChildren(Begin(), 2, 5)).Build());
  REQUIRE(symlink(real.c_str(), recorded.ring_path().c_str()) == 0);
  CHECK(recorded.Read().sink.spans.empty());
}

TEST_CASE("the loss of a ring in private memory is said when the process died") {
  const RecordedRun recorded;
  ProcessFields fields = recorded.Fields();
  fields.ring_path.clear();
  recorded.AddSegment(Preamble(fields), 0);
  CHECK(recorded.Read().Warns("private memory"));
}

TEST_CASE("segments written after the run was looked up are read, too") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields(/*running=*/true);
  recorded.AddSegment(Preamble(fields).Add(1, WithChildren(Begin(), 2, 1), kNow), 0);
  RunReader reader(*recorded.Find());
  recorded.AddSegment(Preamble(fields).Add(1, WithChildren({}, 3, 1), kNow), 1);
  testing::CollectingSink sink;
  REQUIRE(reader.Read(sink).ok());
  CHECK(sink.Names() == std::vector<std::string>{"load", "load", "run"});
}

}  // namespace
}  // namespace autotrace::exporter
