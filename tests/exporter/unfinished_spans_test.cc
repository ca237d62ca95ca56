// Open frames: what a process was inside of when it was last seen.
#include <catch2/catch.hpp>

#include "exporter/block_parser.h"
#include "exporter/span_decoder.h"
#include "exporter/thread_traces.h"
#include "tests/exporter/collecting_sink.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::CollectedSpan;
using testing::CollectingSink;
using testing::kEpoch;
using testing::MakeFrame;
using testing::ProcessFields;
using testing::Records;
using testing::StreamBuilder;

constexpr uint64_t kMain = 0x1100;
constexpr uint64_t kRun = 0x1200;
constexpr uint64_t kWork = 0x1300;

StreamBuilder MakeStream(ProcessFields fields = {}) {
  StreamBuilder stream(std::move(fields));
  stream.Process().Clock(0, kEpoch).Module(1, "/opt/app", 0x1000, 0x9000);
  stream.Function(kMain, "main", 1).Function(kRun, "run", 1).Function(kWork, "work", 1);
  return stream;
}

struct Decoded {
  CollectingSink sink;
  DecodeStatistics statistics;

  const Span& Find(std::string_view name) const {
    const CollectedSpan* span = sink.Find(name);
    INFO("span " << name);
    REQUIRE(span != nullptr);
    return span->span;
  }
};

// Threads are what spans point to, so the decoder outlives the test's looks at them.
std::vector<std::unique_ptr<SpanDecoder>> g_decoders;

Decoded Decode(const StreamBuilder& stream, bool prescan = false) {
  Decoded decoded;
  SpanDecoder& decoder =
      *g_decoders.emplace_back(std::make_unique<SpanDecoder>(DecodeOptions{false, 1, nullptr}));
  Block block;
  if (prescan) {
    BlockParser parser{std::string_view(stream.bytes())};
    while (parser.Next(&block)) decoder.Prescan(block.kind, block.payload);
  }
  BlockParser parser{std::string_view(stream.bytes())};
  while (parser.Next(&block)) {
    REQUIRE(decoder.Block(block.kind, block.payload, decoded.sink).ok());
  }
  REQUIRE(decoder.End(decoded.sink).ok());
  decoded.statistics = decoder.statistics();
  return decoded;
}

SpanId IdOf(uint64_t sequence) { return MakeSpanId(SpanIdOf(ProcessFields().secret, sequence)); }

TEST_CASE("open frames become unfinished spans, outermost first") {
  ProcessFields fields;
  fields.config_yaml = "pipeline_id: nightly\n";
  Records records;
  records.TraceBegin({.function = kMain, .start = 10, .root_sequence = 1});
  records.Span({.function = kWork, .start = 30, .end = 40, .sequence = 3, .parent = 2});
  StreamBuilder stream = MakeStream(fields);
  stream.Add(1, records, 40);
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 1), MakeFrame(kRun, 20, 2)});
  const Decoded decoded = Decode(stream);
  CHECK(decoded.sink.Names() == std::vector<std::string>{"work", "main", "run"});
  const Span& root = decoded.Find("main");
  const Span& run = decoded.Find("run");
  CHECK(root.unfinished);
  CHECK(run.unfinished);
  CHECK_FALSE(decoded.Find("work").unfinished);
  CHECK_FALSE(root.parent_span_id.valid());
  CHECK(run.parent_span_id == root.span_id);
  CHECK(decoded.Find("work").parent_span_id == run.span_id);
  CHECK(run.trace_id == decoded.Find("work").trace_id);
  CHECK(root.start_unix_nanos == kEpoch + 10);
  CHECK(root.end_unix_nanos == kEpoch + 100);
  CHECK(run.end_unix_nanos == kEpoch + 100);
  CHECK(decoded.sink.Find("main")->pipeline_id == "nightly");
  CHECK(decoded.sink.Find("run")->pipeline_id.empty());
  CHECK(decoded.statistics.unfinished == 2);
}

TEST_CASE("frames without sequences are connected by ids of their own") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 0), MakeFrame(kRun, 20, 0)});
  stream.OpenFrames(2, 100, {MakeFrame(kWork, 10, 0)});
  const Decoded decoded = Decode(stream);
  const Span& root = decoded.Find("main");
  CHECK(decoded.Find("run").parent_span_id == root.span_id);
  CHECK(decoded.Find("run").trace_id == root.trace_id);
  CHECK_FALSE(decoded.Find("work").parent_span_id.valid());
  CHECK(decoded.Find("work").trace_id != root.trace_id);
  CHECK(decoded.Find("work").span_id != decoded.Find("run").span_id);
}

TEST_CASE("a newer set of frames replaces an older one, in whatever order they come") {
  StreamBuilder stream = MakeStream();
  SECTION("newer last") {
    stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 0)});
    stream.OpenFrames(1, 200, {MakeFrame(kRun, 110, 0)});
  }
  SECTION("newer first") {
    stream.OpenFrames(1, 200, {MakeFrame(kRun, 110, 0)});
    stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 0)});
  }
  CHECK(Decode(stream).sink.Names() == std::vector<std::string>{"run"});
}

TEST_CASE("an empty set of frames says that nothing is open any more") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 0)}).OpenFrames(1, 200, {});
  CHECK(Decode(stream).sink.spans.empty());
}

TEST_CASE("a frame whose own record comes later is no unfinished span") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 1), MakeFrame(kRun, 20, 0)});
  Records records;
  records.TraceBegin({.function = kMain, .start = 10, .root_sequence = 1});
  SECTION("known by its sequence") {
    records.Span({.function = kMain, .start = 10, .end = 150, .sequence = 1});
    const Decoded decoded = Decode(stream.Add(1, records, 200));
    CHECK(decoded.sink.Names() == std::vector<std::string>{"main", "run"});
    CHECK_FALSE(decoded.Find("main").unfinished);
  }
  SECTION("known by its function and start") {
    records.Span({.function = kRun, .start = 20, .end = 150, .sequence = 2, .parent = 1});
    const Decoded decoded = Decode(stream.Add(1, records, 200));
    CHECK(decoded.sink.Names() == std::vector<std::string>{"run", "main"});
    CHECK(decoded.Find("run").parent_span_id == decoded.Find("main").span_id);
  }
}

TEST_CASE(
    "a prescan finds out which frames ended, also when they are told of after their records") {
  Records records;
  records.TraceBegin({.function = kMain, .start = 10, .root_sequence = 1});
  records.Span({.function = kMain, .start = 10, .end = 150, .sequence = 1});
  StreamBuilder stream = MakeStream();
  stream.Add(1, records, 200).OpenFrames(1, 100, {MakeFrame(kMain, 10, 1)});
  CHECK(Decode(stream, /*prescan=*/true).sink.spans.size() == 1);
}

TEST_CASE("a root that got its sequence after it was seen open keeps its children") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 0)});
  Records records;
  records.TraceBegin({.function = kMain, .start = 10, .root_sequence = 5});
  records.Span({.function = kRun, .start = 120, .end = 150, .sequence = 6, .parent = 5});
  const Decoded decoded = Decode(stream.Add(1, records, 160));
  CHECK(decoded.Find("main").span_id == IdOf(5));
  CHECK(decoded.Find("run").parent_span_id == decoded.Find("main").span_id);
  CHECK(decoded.Find("run").trace_id == decoded.Find("main").trace_id);
  // It was still open when its child ended.
  CHECK(decoded.Find("main").end_unix_nanos == kEpoch + 150);
}

TEST_CASE("the trace's id in the block holds when no kTraceBegin is there") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 1)}, {0x11, 0x22});
  CHECK(Hex(Decode(stream).Find("main").trace_id) == "11000000000000002200000000000000");
}

TEST_CASE("an unfinished root has its remote parent") {
  Records records;
  records.TraceBegin({.function = kMain,
                      .start = 10,
                      .root_sequence = 1,
                      .trace_id = {1, 2},
                      .parent_span_id = 9,
                      .flags = format::kTraceRemoteParent});
  StreamBuilder stream = MakeStream();
  stream.Add(1, records, 100).OpenFrames(1, 100, {MakeFrame(kMain, 10, 1)}, {1, 2});
  CHECK(Hex(Decode(stream).Find("main").parent_span_id) == "0900000000000000");
  CHECK(Decode(stream).Find("main").parent_is_remote);
}

TEST_CASE("frames of a cut trace belong to it, those below to the outer one") {
  Records records;
  records.TraceBegin({.function = kMain, .start = 10, .root_sequence = 1});
  records.TraceBegin(
      {.function = kRun, .start = 20, .root_sequence = 2, .flags = format::kTraceCut});
  StreamBuilder stream = MakeStream();
  stream.Add(1, records, 100);
  stream.OpenFrames(1, 100,
                    {MakeFrame(kMain, 10, 1), MakeFrame(kRun, 20, 2), MakeFrame(kWork, 30, 3)});
  const Decoded decoded = Decode(stream);
  CHECK_FALSE(decoded.Find("run").parent_span_id.valid());
  CHECK(decoded.Find("run").trace_id != decoded.Find("main").trace_id);
  CHECK(decoded.Find("work").trace_id == decoded.Find("run").trace_id);
  CHECK(decoded.Find("work").parent_span_id == decoded.Find("run").span_id);
}

TEST_CASE("frames inherited from a parent process are parents only") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100,
                    {MakeFrame(kMain, 10, 3, format::kSpanInherited), MakeFrame(kRun, 20, 4)});
  const Decoded decoded = Decode(stream);
  CHECK(decoded.sink.Names() == std::vector<std::string>{"run"});
  CHECK(decoded.Find("run").parent_span_id == IdOf(3));
}

TEST_CASE("an open manual span has its name and attributes") {
  Records records;
  records.TraceBegin({.start = 10, .root_sequence = 1});
  records.Name(1, "by hand").StringAttribute(1, "key", "value");
  StreamBuilder stream = MakeStream();
  stream.Add(1, records, 50).OpenFrames(1, 100, {MakeFrame(0, 10, 1, format::kSpanManual)});
  const Decoded decoded = Decode(stream);
  CHECK(decoded.Find("by hand").manual);
  CHECK(decoded.Find("by hand").attributes == std::vector<Attribute>{{"key", "value"}});
}

TEST_CASE("threads still at work at an orderly end leave unfinished spans") {
  StreamBuilder stream = MakeStream();
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 10, 0)}).End(110, kEpoch + 110);
  const Decoded decoded = Decode(stream);
  CHECK(decoded.Find("main").unfinished);
}

// ---- Parents without a record ----

constexpr uint64_t kLeaf = 0x1400;

StreamBuilder MakeStreamWithLeaf() { return MakeStream().Function(kLeaf, "leaf", 1); }

Records Leaf(Records records, uint64_t start, uint64_t sequence, uint64_t parent) {
  records.Span({.function = kLeaf,
                .start = start,
                .end = start + 2,
                .sequence = sequence,
                .parent = parent});
  return records;
}

TEST_CASE("after a kill before anything was seen open, the root is there by its name") {
  const Records records =
      Leaf(Records().TraceBegin({.function = kRun, .start = 5, .root_sequence = 1}), 10, 2, 1);
  const Decoded decoded = Decode(MakeStreamWithLeaf().Add(1, records, 600));
  const Span& run = decoded.Find("run");
  CHECK(run.unfinished);
  CHECK_FALSE(run.placeholder);
  CHECK_FALSE(run.parent_span_id.valid());
  CHECK(run.start_unix_nanos == kEpoch + 5);
  CHECK(decoded.Find("leaf").parent_span_id == run.span_id);
  CHECK(decoded.statistics.unfinished == 1);
}

TEST_CASE("parents that nobody saw open get placeholders, one inside of the other") {
  Records records = Records().TraceBegin({.function = kRun, .start = 5, .root_sequence = 1});
  records = Leaf(records, 10, 3, 2);  // in an unknown call
  records = Leaf(records, 20, 5, 4);  // in another one, which that one made
  const Decoded decoded = Decode(MakeStreamWithLeaf().Add(1, records, 600));
  REQUIRE(decoded.sink.spans.size() == 5);
  const Span& run = decoded.Find("run");
  std::vector<Span> unknown;
  for (const CollectedSpan& span : decoded.sink.spans) {
    if (span.name == "(unknown)") unknown.push_back(span.span);
  }
  REQUIRE(unknown.size() == 2);
  CHECK(unknown[0].span_id == IdOf(2));
  CHECK(unknown[0].parent_span_id == run.span_id);
  CHECK(unknown[1].span_id == IdOf(4));
  CHECK(unknown[1].parent_span_id == IdOf(2));
  for (const Span& span : unknown) {
    CHECK(span.placeholder);
    CHECK(span.unfinished);
    CHECK(span.trace_id == run.trace_id);
    CHECK(span.end_unix_nanos == kEpoch + 22);
  }
  CHECK(decoded.statistics.spans == 3);
}

TEST_CASE("an unknown parent hangs below the innermost call that was seen open") {
  Records records = Records().TraceBegin({.function = kMain, .start = 5, .root_sequence = 1});
  records = Leaf(records, 110, 9, 8);
  StreamBuilder stream = MakeStreamWithLeaf().Add(1, records, 600);
  stream.OpenFrames(1, 100, {MakeFrame(kMain, 5, 1), MakeFrame(kRun, 20, 0)});
  const Decoded decoded = Decode(stream, true);
  CHECK(decoded.sink.spans.size() == 4);
  CHECK(decoded.Find("(unknown)").parent_span_id == decoded.Find("run").span_id);
  CHECK(decoded.Find("leaf").parent_span_id == decoded.Find("(unknown)").span_id);
}

TEST_CASE("the parent whose record was dropped is stood in for below its root") {
  Records records = Records().TraceBegin({.function = kRun, .start = 5, .root_sequence = 1});
  records = Leaf(records, 10, 3, 2);
  records = Leaf(records, 30, 6, 4);
  records.Span({.function = kRun, .start = 5, .end = 90, .sequence = 1});
  const Decoded decoded = Decode(MakeStreamWithLeaf()
                                     .Add(1, records, 600)
                                     .Counter(format::Counter::kDroppedRingFull, 2)
                                     .End(200, kEpoch + 200));
  REQUIRE(decoded.sink.spans.size() == 5);
  for (const CollectedSpan& span : decoded.sink.spans) {
    if (span.name != "(unknown)") continue;
    CHECK(span.span.placeholder);
    CHECK_FALSE(span.span.unfinished);
    CHECK(span.span.parent_span_id == IdOf(1));
    CHECK(span.span.end_unix_nanos <= kEpoch + 32);
  }
}

TEST_CASE("a root whose record was dropped is stood in for") {
  Records records = Records().TraceBegin({.function = kRun, .start = 5, .root_sequence = 1});
  records = Leaf(records, 10, 2, 1);
  records.TraceBegin({.function = kMain, .start = 50, .root_sequence = 7});
  records.Span({.function = kMain, .start = 50, .end = 60, .sequence = 7});
  const Decoded decoded = Decode(MakeStreamWithLeaf()
                                     .Add(1, records, 600)
                                     .Counter(format::Counter::kDroppedRingFull, 1)
                                     .End(200, kEpoch + 200));
  CHECK(decoded.sink.Names() == std::vector<std::string>{"leaf", "main", "run"});
  CHECK(decoded.Find("run").placeholder);
  CHECK(decoded.Find("run").end_unix_nanos == kEpoch + 12);
  CHECK(decoded.statistics.spans == 2);
}

TEST_CASE("a thread that ended is forgotten by a decoder that follows a program") {
  Records records = Records().TraceBegin({.function = kRun, .start = 5, .root_sequence = 1});
  records = Leaf(records, 10, 2, 1);
  const uint32_t index = 1;
  StreamBuilder stream = MakeStreamWithLeaf().Add(1, records, 600);
  stream.Counter(format::Counter::kDroppedRingFull, 1);
  stream.Block(format::BlockKind::kThreadEnd,
               {reinterpret_cast<const char*>(&index), sizeof(index)});
  const Decoded decoded = Decode(stream.End(200, kEpoch + 200));
  CHECK(decoded.Find("run").placeholder);
  CHECK(decoded.sink.spans.size() == 2);
}

}  // namespace
}  // namespace autotrace::exporter
