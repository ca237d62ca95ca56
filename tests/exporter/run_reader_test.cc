// Reading segments.
#include "exporter/run_reader.h"

#include <catch2/catch.hpp>

#include "tests/exporter/recorded_run.h"
#include "tests/exporter/small_program.h"

namespace autotrace::exporter {
namespace {

using testing::Begin;
using testing::Child;
using testing::CollectingSink;
using testing::kEpoch;
using testing::kRun;
using testing::Preamble;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::Records;
using testing::StreamBuilder;

Records Root() {
  Records records;
  return records.Span({.function = kRun, .start = 5, .end = 900, .sequence = 1});
}

ProcessFields Ended() {
  ProcessFields fields;
  fields.ring_path = "/nowhere/ring";
  return fields;
}

TEST_CASE("a run of several segments is read as one") {
  const RecordedRun recorded;
  recorded.AddSegment(Preamble(Ended()).Add(1, Begin(), 999).Add(1, Child(2), 999), 0);
  recorded.AddSegment(Preamble(Ended()).Add(1, Child(3), 999), 1);
  recorded.AddSegment(Preamble(Ended()).Add(1, Root(), 999).End(1000, kEpoch + 1000), 2);
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(result.sink.Names() == std::vector<std::string>{"load", "load", "run"});
  CHECK(result.sink.finished == 1);
  CHECK(result.statistics.spans == 3);
  CHECK(result.statistics.unfinished == 0);
  CHECK(result.statistics.warnings.empty());
  for (const testing::CollectedSpan& span : result.sink.spans) {
    CHECK(span.span.trace_id == result.sink.spans[0].span.trace_id);
  }
}

TEST_CASE("segments that were removed are mentioned once, and the rest is read") {
  const RecordedRun recorded;
  Records resumed;
  resumed.TraceBegin(
      {.function = kRun, .start = 5, .root_sequence = 1, .flags = format::kTraceResumed});
  recorded.AddSegment(Preamble(Ended()).Add(1, resumed, 999).Add(1, Child(9), 999), 3);
  recorded.AddSegment(Preamble(Ended()).Add(1, Root(), 999).End(1000, kEpoch), 4);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.statistics.spans == 2);
  REQUIRE(result.statistics.warnings.size() == 1);
  CHECK(result.statistics.warnings[0] == "3 segments were removed (max_disk)");
}

TEST_CASE("a damaged block costs its spans only and is reported") {
  const RecordedRun recorded;
  StreamBuilder stream = Preamble(Ended());
  const size_t before = stream.Add(1, Begin(), 999).Segment(0).size();
  std::string bytes = stream.Add(1, Child(2), 999).Add(1, Child(3), 999).End(1, kEpoch).Segment(0);
  bytes[before + 40] ^= 4;
  recorded.AddFile(SegmentName({4711, Ended().process_key}, 0), bytes);
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(result.statistics.spans == 1);
  CHECK(result.Warns("damaged"));
}

TEST_CASE("a segment that ends inside of a block is warned about unless it is being written") {
  const RecordedRun recorded;
  const bool running = GENERATE(false, true);
  const ProcessFields fields = recorded.Fields(running);
  const std::string bytes =
      Preamble(fields).Add(1, Begin(), 999).Add(1, Child(2), 999).Add(1, Child(3), 999).Segment(0);
  recorded.AddFile(SegmentName({fields.pid, fields.process_key}, 0),
                   bytes.substr(0, bytes.size() - 9));
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(result.statistics.spans == 2);
  CHECK(result.statistics.unfinished == 1);  // the root, which had begun
  CHECK(result.Warns("incomplete") == !running);
  CHECK_FALSE(result.Warns("damaged"));
}

TEST_CASE("foreign files in a run's folder are passed over") {
  const RecordedRun recorded;
  recorded.AddSegment(Preamble(Ended()).Add(1, Begin(), 999).Add(1, Root(), 999).End(1, kEpoch), 0);
  const ProcessId process = {4711, Ended().process_key};
  recorded.AddFile(SegmentName(process, 1), "not a segment at all, but long enough for a header");
  ProcessFields other = Ended();
  other.process_key = 3;
  recorded.AddFile(SegmentName(process, 2), StreamBuilder(other).Process().Segment(2));
  recorded.AddFile(SegmentName(process, 3), "");
  recorded.AddFile("4711-summary", "text");
  recorded.AddFile("x.seg", "text");
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.status.ok());
  CHECK(result.statistics.spans == 1);
  CHECK(result.Warns("is no segment"));
  CHECK(result.Warns("another process"));
}

TEST_CASE("a segment of a newer version is not read, and that is said") {
  const RecordedRun recorded;
  recorded.AddSegment(Preamble(Ended()).Add(1, Begin(), 999), 0);
  std::string newer = Preamble(Ended()).Add(1, Root(), 999).Segment(1);
  newer[8] = 99;
  recorded.AddFile(SegmentName({4711, Ended().process_key}, 1), newer);
  CHECK(recorded.Read().Warns("version 99"));
}

TEST_CASE("a longer header of a newer writer is skipped") {
  const RecordedRun recorded;
  std::string bytes =
      Preamble(Ended()).Add(1, Begin(), 999).Add(1, Root(), 999).End(1, kEpoch).Segment(0);
  bytes[12] = 48;
  bytes.insert(32, 16, '\7');
  recorded.AddFile(SegmentName({4711, Ended().process_key}, 0), bytes);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.statistics.spans == 1);
  CHECK(result.statistics.warnings.empty());
}

TEST_CASE("the processes of a run are read one after the other") {
  const RecordedRun recorded;
  ProcessFields first = Ended();
  ProcessFields second = Ended();
  second.pid = 5000;
  second.process_key = 2;
  second.start_unix_nanos += 1;
  second.secret.key[0] = 77;
  for (const ProcessFields& fields : {second, first}) {
    recorded.AddSegment(Preamble(fields).Add(1, Begin(), 999).Add(1, Root(), 999).End(1, kEpoch),
                        0);
  }
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.sink.spans.size() == 2);
  CHECK(result.sink.spans[0].span.process->pid == 4711);
  CHECK(result.sink.spans[1].span.process->pid == 5000);
  CHECK(result.sink.spans[0].span.span_id != result.sink.spans[1].span.span_id);
}

TEST_CASE("drops of all processes are added up, and stand on spans from the first one on") {
  const RecordedRun recorded;
  StreamBuilder stream = Preamble(Ended());
  stream.Add(1, Begin(), 999).Add(1, Root(), 999);
  stream.Counter(format::Counter::kDroppedRingFull, 3).End(1, kEpoch);
  recorded.AddSegment(stream, 0);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.statistics.dropped == std::map<std::string, uint64_t>{{"ring_full", 3}});
  REQUIRE(result.sink.spans.size() == 1);
  const std::vector<Attribute>& resource = result.sink.spans[0].span.process->resource;
  CHECK(std::find(resource.begin(), resource.end(),
                  Attribute("autotrace.dropped.ring_full", int64_t{3})) != resource.end());
}

TEST_CASE("an error of the sink ends the reading and is returned") {
  struct FailingSink : SpanSink {
    absl::Status Consume(const Span&) override {
      ++calls;
      return absl::ResourceExhaustedError("disk full");
    }
    int calls = 0;
  } sink;
  const RecordedRun recorded;
  recorded.AddSegment(
      Preamble(Ended()).Add(1, Begin(), 999).Add(1, Child(2), 9).Add(1, Root(), 999), 0);
  RunReader reader(*recorded.Find());
  CHECK(absl::IsResourceExhausted(reader.Read(sink)));
  CHECK(sink.calls == 1);
}

TEST_CASE("progress goes up to all bytes") {
  const RecordedRun recorded;
  StreamBuilder stream = Preamble(Ended());
  stream.Block(static_cast<format::BlockKind>(77), std::string(3 << 20, 'x'));
  stream.Block(static_cast<format::BlockKind>(77), std::string(3 << 20, 'x')).End(1, kEpoch);
  recorded.AddSegment(stream, 0);
  std::vector<uint64_t> told;
  ReadOptions options;
  options.progress = [&](uint64_t done, uint64_t total) {
    CHECK(done <= total);
    told.push_back(done);
  };
  const Run run = *recorded.Find();
  RunReader reader(run, options);
  CollectingSink sink;
  REQUIRE(reader.Read(sink).ok());
  REQUIRE(told.size() >= 2);
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.back() == run.processes[0].bytes);
}

TEST_CASE("a run that is removed while it is read gives what there was") {
  const RecordedRun recorded;
  recorded.AddSegment(Preamble(Ended()).Add(1, Begin(), 999).Add(1, Root(), 999).End(1, kEpoch), 0);
  RunReader reader(*recorded.Find());
  std::filesystem::remove_all(recorded.path());
  CollectingSink sink;
  CHECK(reader.Read(sink).ok());
  CHECK(sink.spans.empty());
}

}  // namespace
}  // namespace autotrace::exporter
