// Segments whose predecessors are gone: what is left reads as it did when they were there.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "exporter/span_decoder.h"
#include "fake_program.h"
#include "runtime/clock.h"
#include "runtime/drainer.h"
#include "runtime/segment_beginning.h"
#include "runtime/segment_writer.h"
#include "segment_files.h"
#include "tests/exporter/collecting_sink.h"
#include "tests/exporter/stream_builder.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

using exporter::SpanDecoder;

// Everything of a span that must not depend on what else is read.
using Facts = std::tuple<exporter::TraceId, exporter::SpanId, std::string, uint64_t, uint64_t,
                         std::string, std::vector<exporter::Attribute>>;

std::map<exporter::SpanId, Facts> Decode(const std::vector<StoredSegment>& segments, size_t first) {
  // Threads are what spans point to.
  SpanDecoder decoder(exporter::DecodeOptions{false, 1, nullptr});
  testing::CollectingSink sink;
  for (size_t i = first; i < segments.size(); ++i) {
    for (const StoredBlock& block : segments[i].blocks) {
      REQUIRE(decoder.Block(static_cast<uint16_t>(block.kind), block.payload, sink).ok());
    }
  }
  CHECK(decoder.statistics().without_trace == 0);
  std::map<exporter::SpanId, Facts> spans;
  for (const testing::CollectedSpan& span : sink.spans) {
    const Facts facts = {
        span.span.trace_id,         span.span.parent_span_id, span.name,
        span.span.start_unix_nanos, span.span.end_unix_nanos, span.span.error_description,
        span.span.attributes};
    REQUIRE(spans.emplace(span.span.span_id, facts).second);
  }
  return spans;
}

// A thread that does what comes to its mind: calls, manual spans with attributes, exceptions,
// traces within traces ('r' starts one).
class RandomThread {
 public:
  RandomThread(FakeProgram* program, std::mt19937* random) : thread_(program), random_(random) {}

  void Step() {
    const size_t depth = open_.size();
    if (depth > 0 && (Pick(100) < 45 || depth > 20)) return End();
    const int what = Pick(100);
    if (what < 15) {
      open_.push_back(thread_.recorder().BeginManual("manual", thread_.stack_pointer() - 8));
    } else {
      const char name = what < 20 ? 'r' : static_cast<char>('a' + Pick(5));
      thread_.Enter(name);
      open_.push_back(0);
      names_.push_back(name);
    }
    for (const uint64_t sequence : open_) {
      if (sequence == 0 || Pick(8) != 0) continue;
      const std::string text(static_cast<size_t>(Pick(300)), 'x');
      const std::string key = "key" + std::to_string(Pick(3));
      thread_.recorder().WriteAttribute(sequence, key, format::AttributeType::kString, text.data(),
                                        text.size());
    }
  }

 private:
  int Pick(int limit) { return static_cast<int>((*random_)() % static_cast<unsigned>(limit)); }

  void End() {
    const uint64_t sequence = open_.back();
    open_.pop_back();
    if (sequence != 0) return thread_.recorder().EndManual(sequence);
    const char name = names_.back();
    names_.pop_back();
    thread_.Leave(name);
  }

  FakeThread thread_;
  std::mt19937* const random_;
  std::vector<uint64_t> open_;  // sequences of manual spans, 0 for calls
  std::string names_;
};

TEST_CASE("what is left of a recording reads as it did when the older segments were there") {
  InitializeClock();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::mt19937 random(1);  // half a minute for each
#else
  std::mt19937 random(GENERATE(range(1u, 9u)));
#endif
  FakeProgram program;
  program.Decide('r', kRecorded | decision::kStartsTrace);
  RecorderPool pool{&program.shared()};
  ModuleTable modules{&program.shared().decisions};
  filters::Config config;
  filters::FunctionFilter filter{config};
  Decider decider{config, &filter, &modules, &program.shared().short_calls};
  Drainer drainer{&program.shared(), &pool, &modules, &decider};
  const TemporaryFolder folder;
  SegmentWriter::Options options;
  options.folder = folder.path();
  options.segment_bytes = 8 << 10;
  SegmentWriter writer(options);
  drainer.AddSink(&writer);
  drainer.EmitClock();
  {
    std::vector<std::unique_ptr<RandomThread>> threads;
    for (int i = 0; i < 3; ++i) {
      threads.push_back(std::make_unique<RandomThread>(&program, &random));
    }
    for (int step = 0; step < 6000; ++step) {
      threads[random() % threads.size()]->Step();
      if (random() % 40 == 0) drainer.Pass();
      if (random() % 200 == 0) drainer.EmitClock();
    }
  }
  drainer.Pass();
  CHECK(program.Counted(format::Counter::kDroppedRingFull) == 0);

  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  REQUIRE(segments.size() > 10);
  const auto whole = Decode(segments, 0);
  size_t compared = 0;
  for (size_t first = 1; first < segments.size(); ++first) {
    for (const auto& [id, facts] : Decode(segments, first)) {
      REQUIRE(whole.at(id) == facts);
      ++compared;
    }
  }
  CHECK(compared > 1000);
}

TEST_CASE("news of a module that stand among a thread's records are no span's details") {
  SegmentBeginning beginning;
  testing::Records records;
  records.Module(testing::ModulePayload(1, "/library", 0x1000, 0x2000));
  const format::RecordsHeader header = {1, 1, 0, 0, 2};
  beginning.RememberRecords({reinterpret_cast<const char*>(&header), sizeof(header)},
                            records.bytes());
  CHECK(beginning.Blocks().empty());
}

}  // namespace
}  // namespace autotrace::test
