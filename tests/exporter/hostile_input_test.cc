// Damaged and hostile files: whatever they hold, reading ends, and nothing outside is touched. Run
// with the address sanitizer these say more.
#include <catch2/catch.hpp>
#include <random>

#include "exporter/block_parser.h"
#include "exporter/recover.h"
#include "exporter/span_decoder.h"
#include "tests/exporter/recorded_run.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using testing::kEpoch;
using testing::MakeFrame;
using testing::ProcessFields;
using testing::RecordedRun;
using testing::Records;
using testing::RingBuilder;
using testing::StreamBuilder;

StreamBuilder RichStream(const ProcessFields& fields) {
  Records records;
  records.TraceBegin({.function = 0x1100, .start = 5, .root_sequence = 1});
  records.Name(2, "by hand").StringAttribute(2, "key", "value").Stack(2, {0x1101, 0x1202});
  records.Span({.start = 20, .end = 25, .sequence = 2, .parent = 1, .flags = format::kSpanManual});
  records.Span({.function = 0x1200,
                .start = 30,
                .end = 35,
                .sequence = 3,
                .parent = 1,
                .call_site = 0x1110});
  StreamBuilder stream(fields);
  stream.Process().Clock(0, kEpoch).Module(1, "/nowhere/app", 0x1000, 0x9000);
  stream.Function(0x1100, "_ZN3app3runEv", 1).Thread(1, 42, "main").Add(1, records, 1000);
  stream.OpenFrames(1, 100, {MakeFrame(0x1100, 5, 1), MakeFrame(0x1200, 40, 0)});
  return stream.Counter(format::Counter::kDroppedDisk, 1).Clock(2000, kEpoch + 2000);
}

void FlipBits(std::string* bytes, std::mt19937_64& random, int count) {
  for (int i = 0; i < count; ++i) {
    (*bytes)[random() % bytes->size()] ^= static_cast<char>(1 << random() % 8);
  }
}

TEST_CASE("payloads with valid checksums and random contents are survived") {
  std::mt19937_64 random(GENERATE(range(0, 8)));
  const std::string bytes = RichStream({}).bytes();
  for (int round = 0; round < 300; ++round) {
    SpanDecoder decoder(DecodeOptions{false, 1, nullptr});
    testing::CollectingSink sink;
    uint64_t blocks = 0;
    BlockParser parser{std::string_view(bytes)};
    for (Block block; parser.Next(&block); ++blocks) {
      std::string payload(block.payload);
      FlipBits(&payload, random, static_cast<int>(random() % 6));
      if (random() % 8 == 0) payload.resize(random() % (payload.size() + 1));
      if (random() % 2 == 0) decoder.Prescan(block.kind, payload);
      (void)decoder.Block(block.kind, payload, sink);
    }
    REQUIRE(blocks == 9);
    REQUIRE(decoder.End(sink).ok());
    for (const testing::CollectedSpan& span : sink.spans) {
      REQUIRE(span.span.start_unix_nanos <= span.span.end_unix_nanos);
    }
  }
}

TEST_CASE("runs with flipped bits in segments and ring are read and recovered without harm") {
  std::mt19937_64 random(GENERATE(range(0, 4)));
  const RecordedRun recorded;
  const std::string bystander = recorded.folder().Write("bystander", "untouched");
  const ProcessFields fields = recorded.Fields();
  const std::string segment = RichStream(fields).Segment(0);
  StreamBuilder open(fields);
  open.OpenFrames(1, 150, {MakeFrame(0x1100, 5, 1)});
  Records records;
  records.TraceBegin({.function = 0x1100, .start = 5, .root_sequence = 1});
  records.Name(9, "late").Span({.start = 50, .end = 60, .sequence = 9, .parent = 1});
  const std::string ring = RingBuilder(fields)
                               .Metadata(RichStream(fields))
                               .OpenFrames(open)
                               .Chunk(1, 2, records)
                               .Build();
  for (int round = 0; round < 30; ++round) {
    std::string bad_segment = segment;
    std::string bad_ring = ring;
    FlipBits(&bad_segment, random, static_cast<int>(random() % 8));
    // The ring is mostly empty: aim at its header, areas and records.
    for (int i = 0; i < 4; ++i) bad_ring[random() % 512] ^= static_cast<char>(random() % 4);
    FlipBits(&bad_ring, random, 200);
    recorded.AddFile(SegmentName({fields.pid, fields.process_key}, 0), bad_segment);
    recorded.folder().Write("ring", bad_ring);
    const RecordedRun::Result result = recorded.Read();
    CHECK(result.sink.spans.size() < 20);
    const absl::StatusOr<Run> run = recorded.Find();
    if (run.ok()) CHECK(RecoverRun(*run).ok());
    CHECK(test::ReadFile(bystander) == "untouched");
    std::filesystem::remove_all(recorded.path());
  }
}

TEST_CASE("a ring header that claims more than there is costs neither time nor memory") {
  const RecordedRun recorded;
  const ProcessFields fields = recorded.Fields();
  recorded.AddSegment(RichStream(fields), 0);
  std::string ring = RingBuilder(fields).Chunk(1, 2, {}).Build();
  const auto store = [&](size_t offset, auto value) {
    memcpy(ring.data() + offset, &value, sizeof(value));
  };
  using format::RingHeader;
  const uint64_t huge = ~uint64_t{0} - 7;
  SECTION("chunks") { store(offsetof(RingHeader, chunk_count), ~uint32_t{0}); }
  SECTION("chunk size") { store(offsetof(RingHeader, chunk_size), uint32_t{0}); }
  SECTION("chunks' place") { store(offsetof(RingHeader, chunks_offset), huge); }
  SECTION("metadata's size") {
    store(offsetof(RingHeader, metadata_size), huge);
    store(offsetof(RingHeader, metadata_capacity), huge);
  }
  SECTION("metadata's place") { store(offsetof(RingHeader, metadata_offset), huge); }
  SECTION("open frames' place") { store(offsetof(RingHeader, open_frames_offset), huge); }
  SECTION("open frames' capacity") { store(offsetof(RingHeader, open_frames_capacity), huge); }
  recorded.folder().Write("ring", ring);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.status.ok());
  CHECK(result.statistics.spans == 4);
}

TEST_CASE("many warnings become few lines") {
  const RecordedRun recorded;
  StreamBuilder stream = RichStream(recorded.Fields());
  for (int i = 0; i < 1000; ++i) stream.Block(format::BlockKind::kModule, "too short");
  recorded.AddSegment(stream, 0);
  const RecordedRun::Result result = recorded.Read();
  CHECK(result.statistics.warnings.size() < 30);
  CHECK(result.Warns("more warnings"));
}

}  // namespace
}  // namespace autotrace::exporter
