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

// ---- Segments that are read without those before them ----

TEST_CASE("a segment's beginning tells which trace its thread is in") {
  const RecordedRun recorded;
  recorded.AddSegment(Preamble(Ended()).State(1, Begin(), true).Add(1, Child(3), 999), 1);
  recorded.AddSegment(
      Preamble(Ended()).State(1, Begin(), true).Add(1, Root(), 999).End(1000, kEpoch + 1000), 2);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.sink.Names() == std::vector<std::string>{"load", "run"});
  const Span& root = result.sink.Find("run")->span;
  CHECK(result.sink.Find("load")->span.trace_id == root.trace_id);
  CHECK(result.sink.Find("load")->span.parent_span_id == root.span_id);
  CHECK_FALSE(root.parent_span_id.valid());
  CHECK_FALSE(result.Warns("traces of their own"));
}

TEST_CASE("a root that has ended is not begun again by a later segment's beginning") {
  const RecordedRun recorded;
  Records interrupted;  // by another trace, which has ended
  interrupted.TraceBegin({.function = kRun, .start = 5, .root_sequence = 8});
  recorded.AddSegment(Preamble(Ended()).Add(1, Begin(), 999).Add(1, Root(), 999), 0);
  recorded.AddSegment(Preamble(Ended()).State(2, interrupted, false).Add(1, {}, 999), 1);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.sink.Names() == std::vector<std::string>{"run", "run"});
  CHECK(result.sink.spans[0].span.unfinished == false);
  CHECK(result.sink.spans[0].span.thread->index == 1);
  CHECK(result.sink.spans[1].span.unfinished);  // of thread 2, which began it and died
}

TEST_CASE("a segment's beginning has what was said of spans that are open") {
  const RecordedRun recorded;
  Records state = Begin();
  state.Extension(format::ExtensionType::kName, 7, "first half");
  state.StringAttribute(7, "city", "Bern");
  Records span;
  span.Span({.start = 20, .end = 60, .sequence = 7, .parent = 1, .flags = format::kSpanManual});
  recorded.AddSegment(Preamble(Ended()).State(1, state, true).Add(1, span, 999), 4);
  SECTION("alone") {}
  SECTION("after the segment that said it") {
    recorded.AddSegment(Preamble(Ended()).Add(1, state, 999), 3);
  }
  const RecordedRun::Result result = recorded.Read();
  const testing::CollectedSpan* manual = result.sink.Find("first half");
  REQUIRE(manual != nullptr);
  REQUIRE(manual->span.attributes.size() == 1);
  CHECK(std::get<std::string>(manual->span.attributes[0].second) == "Bern");
}

TEST_CASE("an exception that was described in a segment before is known") {
  const RecordedRun recorded;
  Records state = Begin();
  state.Exception(0, 3, 40, "St13runtime_error", "no bread");
  Records span;
  span.Exception(1, 3, 40);
  span.Span({.function = kRun, .start = 5, .end = 60, .sequence = 1, .flags = format::kSpanError});
  recorded.AddSegment(Preamble(Ended()).State(1, state, true).Add(1, span, 999), 4);
  const RecordedRun::Result result = recorded.Read();
  REQUIRE(result.sink.Find("run") != nullptr);
  CHECK(result.sink.Find("run")->span.error_description == "std::runtime_error: no bread");
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
