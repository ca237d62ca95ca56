#include "exporter/span_decoder.h"

#include <catch2/catch.hpp>

#include "exporter/block_parser.h"
#include "exporter/thread_traces.h"
#include "tests/exporter/collecting_sink.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::CollectedSpan;
using testing::CollectingSink;
using testing::kEpoch;
using testing::ProcessFields;
using testing::Records;
using testing::StreamBuilder;

constexpr uint64_t kRun = 0x1100;
constexpr uint64_t kLoad = 0x1200;
constexpr uint64_t kParse = 0x1300;

// A process with a module, three functions and a thread, whose ticks are nanoseconds since kEpoch.
StreamBuilder MakeStream(ProcessFields fields = {}) {
  StreamBuilder stream(std::move(fields));
  stream.Process().Clock(0, kEpoch).Module(1, "/opt/app/bin/my_service", 0x1000, 0x9000);
  stream.Function(kRun, "_ZN3app3runEv", 1).Function(kLoad, "_ZN3app4loadEi", 1);
  stream.Function(kParse, "_ZN3app5parseIiEET_S1_", 1).Thread(1, 42, "main");
  return stream;
}

struct Decoded {
  std::unique_ptr<SpanDecoder> decoder;
  CollectingSink sink;
  std::vector<std::string> errors;
};

Decoded Decode(const StreamBuilder& stream) {
  Decoded decoded;
  decoded.decoder = std::make_unique<SpanDecoder>(DecodeOptions{false, 1, nullptr});
  BlockParser parser{std::string_view(stream.bytes())};
  for (Block block; parser.Next(&block);) {
    const absl::Status status = decoded.decoder->Block(block.kind, block.payload, decoded.sink);
    if (!status.ok()) decoded.errors.emplace_back(status.message());
  }
  REQUIRE(decoded.decoder->End(decoded.sink).ok());
  return decoded;
}

const CollectedSpan& Find(const Decoded& decoded, std::string_view name) {
  const CollectedSpan* span = decoded.sink.Find(name);
  INFO("span " << name);
  REQUIRE(span != nullptr);
  return *span;
}

SpanId IdOf(uint64_t sequence) { return MakeSpanId(SpanIdOf(ProcessFields().secret, sequence)); }

TEST_CASE("a root and its children share a trace and point to their parents") {
  Records records;
  records.TraceBegin({.function = kRun, .start = 100, .root_sequence = 7});
  records.Span({.function = kParse, .start = 200, .end = 300, .sequence = 9, .parent = 8});
  records.Span({.function = kLoad, .start = 150, .end = 400, .sequence = 8, .parent = 7});
  records.Span({.function = kRun, .start = 100, .end = 500, .sequence = 7});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));

  REQUIRE(decoded.errors.empty());
  REQUIRE(decoded.sink.Names() ==
          std::vector<std::string>{"app::parse<int>", "app::load", "app::run"});
  const CollectedSpan& root = Find(decoded, "app::run");
  const CollectedSpan& load = Find(decoded, "app::load");
  const CollectedSpan& parse = Find(decoded, "app::parse<int>");
  CHECK(root.is_root());
  CHECK(root.span.span_id == IdOf(7));
  CHECK(root.span.trace_id == TraceOfRoot(ProcessFields().secret, 7));
  CHECK(load.span.parent_span_id == IdOf(7));
  CHECK(parse.span.parent_span_id == IdOf(8));
  CHECK(load.span.trace_id == root.span.trace_id);
  CHECK(parse.span.trace_id == root.span.trace_id);
  CHECK(parse.span.start_unix_nanos == kEpoch + 200);
  CHECK(parse.span.end_unix_nanos == kEpoch + 300);
  CHECK(root.span.duration_nanos() == 400);
  CHECK(root.span.thread->tid == 42);
  CHECK(root.span.thread->name == "main");
  CHECK(root.span.function->module_path == "/opt/app/bin/my_service");
  CHECK(root.span.caller == nullptr);
  CHECK_FALSE(root.span.manual);
}

TEST_CASE("the id in a kTraceBegin is the trace's id") {
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 7, .trace_id = {0x1122, 0x3344}});
  records.Span({.function = kRun, .start = 100, .end = 500, .sequence = 7});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  CHECK(Hex(Find(decoded, "app::run").span.trace_id) == "22110000000000004433000000000000");
}

TEST_CASE("each trace of a thread has its own id") {
  Records records;
  for (const uint64_t sequence : {1, 2}) {
    records.TraceBegin({.function = kRun, .root_sequence = sequence});
    records.Span({.function = kRun, .start = 1, .end = 2, .sequence = sequence});
  }
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  REQUIRE(decoded.sink.spans.size() == 2);
  CHECK(decoded.sink.spans[0].span.trace_id != decoded.sink.spans[1].span.trace_id);
}

TEST_CASE("a remote parent is kept as it came in") {
  Records records;
  records.TraceBegin({.function = kRun,
                      .root_sequence = 7,
                      .trace_id = {1, 2},
                      .parent_span_id = 0x0807060504030201,
                      .flags = format::kTraceRemoteParent});
  records.Span({.function = kLoad, .start = 2, .end = 3, .sequence = 8, .parent = 7});
  records.Span({.function = kRun, .start = 1, .end = 5, .sequence = 7});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  const CollectedSpan& root = Find(decoded, "app::run");
  CHECK(Hex(root.span.parent_span_id) == "0102030405060708");
  CHECK(root.span.parent_is_remote);
  CHECK_FALSE(Find(decoded, "app::load").span.parent_is_remote);
  CHECK(Find(decoded, "app::load").span.trace_id == root.span.trace_id);
}

TEST_CASE("a parent in another thread is a span of this process") {
  Records records;
  records.TraceBegin({.function = kRun,
                      .root_sequence = 7,
                      .trace_id = {1, 2},
                      .parent_sequence = 3,
                      .flags = format::kTraceLocalParent});
  records.Span({.function = kRun, .start = 1, .end = 5, .sequence = 7});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  const CollectedSpan& root = Find(decoded, "app::run");
  CHECK(root.span.parent_span_id == IdOf(3));
  CHECK_FALSE(root.span.parent_is_remote);
}

TEST_CASE("a trace that another one interrupts is taken up again") {
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  records.Span({.function = kParse, .start = 2, .end = 3, .sequence = 2, .parent = 1});
  records.TraceBegin({.function = kLoad, .root_sequence = 3, .flags = format::kTraceCut});
  records.Span({.function = kParse, .start = 5, .end = 6, .sequence = 4, .parent = 3});
  records.Span({.function = kLoad, .start = 4, .end = 7, .sequence = 3});
  records.TraceBegin({.function = kRun, .root_sequence = 1, .flags = format::kTraceResumed});
  records.Span({.function = kParse, .start = 8, .end = 9, .sequence = 5, .parent = 1});
  records.Span({.function = kRun, .start = 1, .end = 10, .sequence = 1});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  REQUIRE(decoded.sink.spans.size() == 5);
  const auto trace = [&](size_t index) { return decoded.sink.spans[index].span.trace_id; };
  const CollectedSpan& cut = decoded.sink.spans[2];
  CHECK(cut.is_root());
  CHECK(trace(0) == trace(4));
  CHECK(trace(3) == trace(4));
  CHECK(trace(1) == trace(2));
  CHECK(trace(2) != trace(4));
  CHECK(decoded.decoder->statistics().without_trace == 0);
}

TEST_CASE("spans whose trace was lost are counted and stay with their relatives") {
  Records records;
  records.Span({.function = kLoad, .start = 2, .end = 3, .sequence = 8, .parent = 7});
  records.Span({.function = kRun, .start = 1, .end = 5, .sequence = 7});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  CHECK(decoded.decoder->statistics().without_trace == 2);
  CHECK(Find(decoded, "app::run").span.trace_id == TraceOfRoot(ProcessFields().secret, 7));
  CHECK(Find(decoded, "app::load").span.trace_id == TraceOfRoot(ProcessFields().secret, 7));
  CHECK(decoded.sink.spans.size() == 2);
}

TEST_CASE("threads have traces of their own") {
  Records first;
  first.TraceBegin({.function = kRun, .root_sequence = 1});
  Records second;
  second.TraceBegin({.function = kLoad, .root_sequence = 2});
  Records rest;
  rest.Span({.function = kRun, .start = 1, .end = 5, .sequence = 1});
  StreamBuilder stream = MakeStream();
  stream.Thread(2, 43, "worker").Add(1, first, 600).Add(2, second, 600).Add(1, rest, 600, 1, 64);
  const Decoded decoded = Decode(stream);
  CHECK(Find(decoded, "app::run").span.trace_id == TraceOfRoot(ProcessFields().secret, 1));
}

TEST_CASE("ids are those that the specification gives as examples") {
  // docs/trace-format.md, section 5.
  const IdSecret secret = {{0x1234567890abcdef, 0xfedcba0987654321}};
  CHECK(Hex(MakeSpanId(SpanIdOf(secret, 1))) == "469a38f5b371faac");
  CHECK(Hex(TraceOfRoot(secret, 1)) == "d5797ce924742759f1a2d7cbc3a85f13");
  CHECK(Hex(MakeSpanId(SpanIdOf(secret, 4096))) == "703a1059a0fda5b2");
  CHECK(Hex(TraceOfRoot(secret, 4096)) == "90785264164d0b0c9b873304695e0d4d");
}

// ---- Time --------------------------------------------------------------------------------------

TEST_CASE("48-bit clocks are dated by the block, also where they wrap") {
  const uint64_t wrap = uint64_t{1} << 48;
  const uint64_t now = 5 * wrap + 1000;
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  // Begins before the wrap and ends after it.
  records.Span({.function = kLoad,
                .start = 5 * wrap - 70'000,
                .end = 5 * wrap + 10,
                .sequence = 2,
                .parent = 1});
  // Nearly as long as 48 bits tell.
  records.Span({.function = kRun, .start = 4 * wrap + 2000, .end = 5 * wrap + 20, .sequence = 1});
  StreamBuilder stream;
  stream.Process().Clock(now, kEpoch).Module(1, "/x", 0x1000, 0x9000);
  stream.Function(kRun, "run", 1).Function(kLoad, "load", 1).Add(1, records, now);
  const Decoded decoded = Decode(stream);
  CHECK(Find(decoded, "load").span.end_unix_nanos == kEpoch - 990);
  CHECK(Find(decoded, "load").span.duration_nanos() == 70'010);
  CHECK(Find(decoded, "run").span.duration_nanos() == wrap - 1980);
}

TEST_CASE("a span too long for 48 bits takes its start from an extension") {
  const uint64_t start = 1000;
  const uint64_t end = (uint64_t{1} << 48) * 3 + 77;
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  records.Extension(format::ExtensionType::kLongStart, 1,
                    {reinterpret_cast<const char*>(&start), sizeof(start)});
  records.RawSpan({.function = kRun, .start = end - format::kMaxDuration, .sequence = 1},
                  format::kMaxDuration);
  const Decoded decoded = Decode(MakeStream().Add(1, records, end));
  CHECK(Find(decoded, "app::run").span.start_unix_nanos == kEpoch + start);
  CHECK(Find(decoded, "app::run").span.end_unix_nanos == kEpoch + end);
}

TEST_CASE("children stay inside their parents when the clock's rate changes") {
  StreamBuilder stream = MakeStream();
  uint64_t sequence = 1;
  for (uint64_t i = 0; i < 50; ++i) {
    const uint64_t base = i * 1'000'003;
    Records records;
    const uint64_t root = sequence++;
    records.TraceBegin({.function = kRun, .start = base, .root_sequence = root});
    records.Span({.function = kLoad,
                  .start = base,
                  .end = base + 999'999,
                  .sequence = sequence++,
                  .parent = root});
    stream.Add(1, records, base + 999'999, 1, 0);
    stream.Clock(base + 999'999, kEpoch + (base + 999'990) * 3 / 7, 3 + i % 7, 7);
    Records rest;
    rest.Span({.function = kRun, .start = base, .end = base + 1'000'000, .sequence = root});
    stream.Add(1, rest, base + 1'000'000, 1, 0);
  }
  const Decoded decoded = Decode(stream);
  REQUIRE(decoded.sink.spans.size() == 100);
  for (size_t i = 0; i < decoded.sink.spans.size(); i += 2) {
    const Span& child = decoded.sink.spans[i].span;
    const Span& parent = decoded.sink.spans[i + 1].span;
    REQUIRE(child.parent_span_id == parent.span_id);
    CHECK(parent.start_unix_nanos <= child.start_unix_nanos);
    CHECK(child.end_unix_nanos <= parent.end_unix_nanos);
  }
}

// ---- Pipeline ids ------------------------------------------------------------------------------

Records OneTree(uint16_t flags = 0) {
  Records records;
  records.TraceBegin({.function = kRun,
                      .root_sequence = 1,
                      .trace_id = {1, 2},
                      .parent_span_id = flags & format::kTraceRemoteParent ? 5u : 0u,
                      .parent_sequence = flags & format::kTraceLocalParent ? 5u : 0u,
                      .flags = flags});
  records.Span({.function = kLoad, .start = 2, .end = 3, .sequence = 2, .parent = 1});
  records.Span({.function = kRun, .start = 1, .end = 4, .sequence = 1});
  return records;
}

TEST_CASE("the pipeline id stands on the root and nowhere else") {
  ProcessFields fields;
  fields.config_yaml = "pipeline_id: nightly\n";
  const Decoded decoded = Decode(MakeStream(fields).Add(1, OneTree(), 600));
  CHECK(Find(decoded, "app::run").pipeline_id == "nightly");
  CHECK(Find(decoded, "app::run").pipeline_id_key == "autotrace.pipeline_id");
  CHECK(Find(decoded, "app::load").pipeline_id.empty());
}

TEST_CASE("a span with a parent in another thread carries no pipeline id") {
  ProcessFields fields;
  fields.config_yaml = "pipeline_id: nightly\n";
  const Decoded decoded =
      Decode(MakeStream(fields).Add(1, OneTree(format::kTraceLocalParent), 600));
  CHECK(Find(decoded, "app::run").pipeline_id.empty());
  CHECK(decoded.decoder->statistics().suppressed_pipeline_ids == 0);
}

TEST_CASE("below a remote parent the pipeline id stands on the first span only when asked for") {
  ProcessFields fields;
  fields.config_yaml = "pipeline_id: nightly\n";
  SECTION("root") {
    const Decoded decoded =
        Decode(MakeStream(fields).Add(1, OneTree(format::kTraceRemoteParent), 600));
    CHECK(Find(decoded, "app::run").pipeline_id.empty());
    CHECK(decoded.decoder->statistics().suppressed_pipeline_ids == 1);
  }
  SECTION("root, in a forked child, where nobody misses it") {
    fields.parent_process_key = 5;
    const Decoded decoded =
        Decode(MakeStream(fields).Add(1, OneTree(format::kTraceRemoteParent), 600));
    CHECK(Find(decoded, "app::run").pipeline_id.empty());
    CHECK(decoded.decoder->statistics().suppressed_pipeline_ids == 0);
  }
  SECTION("local_root") {
    fields.config_yaml += "pipeline_id_on: local_root\n";
    const Decoded decoded =
        Decode(MakeStream(fields).Add(1, OneTree(format::kTraceRemoteParent), 600));
    CHECK(Find(decoded, "app::run").pipeline_id == "nightly");
    CHECK(Find(decoded, "app::load").pipeline_id.empty());
  }
}

TEST_CASE("a trace's first function decides about its pipeline") {
  ProcessFields fields;
  fields.config_yaml =
      "pipeline_id: general\npipelines:\n  app::load: loading\n  app::run: running\n";
  Records records = OneTree();
  records.TraceBegin({.function = kLoad, .root_sequence = 3});
  records.Span({.function = kLoad, .start = 5, .end = 6, .sequence = 3});
  records.TraceBegin({.function = kParse, .root_sequence = 4});
  records.Span({.function = kParse, .start = 7, .end = 8, .sequence = 4});
  const Decoded decoded = Decode(MakeStream(fields).Add(1, records, 600));
  REQUIRE(decoded.sink.spans.size() == 4);
  CHECK(decoded.sink.spans[0].pipeline_id.empty());
  CHECK(decoded.sink.spans[1].pipeline_id == "running");
  CHECK(decoded.sink.spans[2].pipeline_id == "loading");
  CHECK(decoded.sink.spans[3].pipeline_id == "general");
}

TEST_CASE("a pipeline id set by the program wins over the configured one") {
  ProcessFields fields;
  fields.config_yaml = "pipeline_id: nightly\n";
  Records records;
  records.Extension(format::ExtensionType::kPipelineId, 1, "from the program");
  const std::string tree = OneTree().bytes();
  for (size_t i = 0; i < tree.size(); i += 8) {
    uint64_t word;
    memcpy(&word, tree.data() + i, 8);
    records.Word(word);
  }
  const Decoded decoded = Decode(MakeStream(fields).Add(1, records, 600));
  CHECK(Find(decoded, "app::run").pipeline_id == "from the program");
}

// ---- Robustness --------------------------------------------------------------------------------

TEST_CASE("an error or a missed exit is told apart") {
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  records.Span({.function = kParse,
                .start = 2,
                .end = 3,
                .sequence = 2,
                .parent = 1,
                .flags = format::kSpanError | format::kSpanMissedExit});
  records.Span({.function = kLoad,
                .start = 2,
                .end = 3,
                .sequence = 3,
                .parent = 1,
                .flags = format::kSpanMissedExit});
  records.Span(
      {.function = kRun, .start = 1, .end = 4, .sequence = 1, .flags = format::kSpanUnfinished});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  CHECK(Find(decoded, "app::parse<int>").span.error);
  CHECK_FALSE(Find(decoded, "app::load").span.error);
  CHECK(Find(decoded, "app::run").span.unfinished);
  CHECK(decoded.decoder->statistics().unfinished == 1);
}

TEST_CASE("every span that an exception left has its event") {
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  records.Exception(2, 7, 200, "St13runtime_error", "no such table", {kRun + 5});
  records.Span({.function = kParse,
                .start = 100,
                .end = 300,
                .sequence = 2,
                .parent = 1,
                .flags = format::kSpanError});
  records.Exception(1, 7, 200);
  records.Span(
      {.function = kRun, .start = 50, .end = 400, .sequence = 1, .flags = format::kSpanError});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  for (const char* name : {"app::parse<int>", "app::run"}) {
    const Span& span = Find(decoded, name).span;
    CAPTURE(name);
    CHECK(span.error_description == "std::runtime_error: no such table");
    REQUIRE(span.events.size() == 1);
    const Event& event = span.events[0];
    CHECK(event.name == "exception");
    CHECK(event.unix_nanos > Find(decoded, "app::parse<int>").span.start_unix_nanos);
    CHECK(event.unix_nanos < Find(decoded, "app::parse<int>").span.end_unix_nanos);
    REQUIRE(event.attributes.size() == 3);
    CHECK(event.attributes[0] == Attribute("exception.type", "std::runtime_error"));
    CHECK(event.attributes[1] == Attribute("exception.message", "no such table"));
    CHECK(event.attributes[2].first == "exception.stacktrace");
    // There is no such file, so the name is what is known without it.
    CHECK(std::get<std::string>(event.attributes[2].second).find("my_service+0x") == 0);
  }
}

TEST_CASE("an exception whose description was lost still has its time") {
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  records.Exception(1, 7, 200);
  records.Span(
      {.function = kRun, .start = 50, .end = 400, .sequence = 1, .flags = format::kSpanError});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  const Span& span = Find(decoded, "app::run").span;
  CHECK(span.error);
  CHECK(span.error_description.empty());
  REQUIRE(span.events.size() == 1);
  CHECK(span.events[0].attributes.empty());
}

TEST_CASE("an exception whose parts do not fill its record is reported") {
  Records records;
  records.TraceBegin({.function = kRun, .root_sequence = 1});
  format::ExceptionHeader header = {};
  header.stack_count = 0xffff'ffff;
  records.Extension(format::ExtensionType::kException, 1,
                    {reinterpret_cast<const char*>(&header), sizeof(header)});
  records.Span({.function = kRun, .start = 50, .end = 400, .sequence = 1});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  CHECK(decoded.errors.size() == 1);
  CHECK(Find(decoded, "app::run").span.events.empty());
}

TEST_CASE("records up to a damaged one are read") {
  Records records = OneTree();
  records.Word(format::HeadWord(static_cast<format::RecordKind>(9), 0, 1));
  records.Span({.function = kRun, .start = 1, .end = 4, .sequence = 5});
  const Decoded decoded = Decode(MakeStream().Add(1, records, 600));
  CHECK(decoded.errors.size() == 1);
  CHECK(decoded.sink.spans.size() == 2);
}

TEST_CASE("an error of the sink is handed back") {
  struct FailingSink : SpanSink {
    absl::Status Consume(const Span&) override { return absl::ResourceExhaustedError("full"); }
  } sink;
  SpanDecoder decoder(DecodeOptions{false, 1, nullptr});
  const StreamBuilder stream = MakeStream().Add(1, OneTree(), 600);
  BlockParser parser{std::string_view(stream.bytes())};
  absl::Status status;
  for (Block block; parser.Next(&block);) {
    status.Update(decoder.Block(block.kind, block.payload, sink));
  }
  CHECK(absl::IsResourceExhausted(status));
}

TEST_CASE("functions that are quiet in the end are named with their calls") {
  StreamBuilder stream = MakeStream();
  stream.Quiet(kRun, 1, 10'000).Quiet(kLoad, 1, 12'000).Quiet(kRun, 1, 0);
  // As the beginning of the next segment repeats it.
  stream.Quiet(kRun, 1, 10'000).Quiet(kLoad, 1, 12'000).Quiet(kRun, 1, 0);
  const Decoded decoded = Decode(stream);
  const std::vector<QuietFunction>& quiet = decoded.decoder->statistics().quiet;
  REQUIRE(quiet.size() == 1);
  CHECK(quiet[0].name == "app::load");
  CHECK(quiet[0].calls == 12'000);
}

TEST_CASE("a block of quiet functions that ends too early is an error") {
  StreamBuilder stream = MakeStream();
  stream.Block(format::BlockKind::kQuiet, "short");
  CHECK(Decode(stream).errors.size() == 1);
}

}  // namespace
}  // namespace autotrace::exporter
