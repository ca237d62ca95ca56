// Segments that are there to be sent: when they are made, when they go.
#include "runtime/spool.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "child_process.h"
#include "segment_files.h"
#include "tests/exporter/stream_builder.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

using format::BlockKind;

constexpr uint64_t kKey = 0xabcdef0123456789;

// A spool in a folder of its own.
class Fixture {
 public:
  explicit Fixture(bool is_recording = false)
      : writer(Options(folder(), is_recording, &sent)),
        spool(&writer, &sent, folder(), is_recording) {}

  // A block of so many spans; where it begins.
  uint64_t Write(int spans) {
    testing::Records records;
    for (int i = 0; i < spans; ++i) {
      records.Span({.function = 0x1000, .start = 1, .end = 2, .sequence = ++sequence_});
    }
    const format::RecordsHeader header = {1, 1, offset_, 0, 2};
    offset_ += records.size();
    REQUIRE(spool.Block(BlockKind::kRecords,
                        {reinterpret_cast<const char*>(&header), sizeof(header)}, records.bytes(),
                        static_cast<uint64_t>(spans)));
    return writer.block_begin();
  }
  size_t Segments() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      count += entry.path().extension() == ".seg" ? 1 : 0;
    }
    return count;
  }
  bool IsEmpty() const { return std::filesystem::is_empty(folder()); }
  std::string folder() const { return outer_ / "run"; }

 private:
  const TemporaryFolder outer_;

 public:
  SentFile sent;
  SegmentWriter writer;
  Spool spool;

 private:
  static SegmentWriter::Options Options(const std::string& folder, bool is_recording,
                                        SentFile* sent) {
    std::filesystem::create_directory(folder);
    SegmentWriter::Options options;
    options.folder = folder;
    options.process_key = kKey;
    options.segment_bytes = 8 << 10;
    options.is_spool = !is_recording;
    options.sent = sent;
    return options;
  }

  uint64_t sequence_ = 0;
  uint32_t offset_ = 0;
};

TEST_CASE("a spool has no file before there is something to send, and then one that says so") {
  Fixture fixture;
  CHECK(fixture.spool.Block(BlockKind::kProcess, "process", "", 0));
  CHECK(fixture.spool.Block(BlockKind::kClock, "", "", 0));
  CHECK(fixture.spool.Block(BlockKind::kCounters, "counters", "", 0));
  CHECK(fixture.IsEmpty());
  fixture.Write(1);
  CHECK(fixture.Segments() == 1);
  SentFileContent content;
  REQUIRE(ParseSentFile(ReadFile(fixture.writer.stem() + ".sent"), kKey, &content));
  CHECK(content.is_spool);
  // What was told before is in its beginning.
  const std::vector<StoredSegment> segments = ReadSegments(fixture.folder());
  CHECK(segments[0].blocks[0].payload == "process");
}

TEST_CASE("of modules that come and go a spool's segment repeats only what is not long ago") {
  Fixture fixture;
  for (uint64_t ticks = 1; ticks <= 100; ++ticks) {
    CHECK(fixture.spool.Block(BlockKind::kModule,
                              testing::ModulePayload(1, "/library", 0x1000, 0x2000, 0, {}, ticks),
                              "", 0));
    fixture.spool.PassEnded();
  }
  fixture.Write(1);
  const std::vector<StoredSegment> segments = ReadSegments(fixture.folder());
  REQUIRE(segments.size() == 1);
  CHECK(std::count_if(segments[0].blocks.begin(), segments[0].blocks.end(),
                      [](const StoredBlock& block) { return block.kind == BlockKind::kModule; }) ==
        2);
}

TEST_CASE("a call that is open is reason enough for a file") {
  Fixture fixture;
  fixture.spool.Begin();
  CHECK(fixture.Segments() == 1);
}

TEST_CASE("each block's place is told, and the next one begins there or in the next segment") {
  Fixture fixture;
  uint64_t end = 0;
  for (int i = 0; i < 30; ++i) {
    const uint64_t begin = fixture.Write(20);
    CHECK(begin >= end);
    if (format::SegmentOf(begin) == format::SegmentOf(end) && end != 0) CHECK(begin == end);
    end = fixture.writer.block_end();
    CHECK(end > begin);
  }
  CHECK(format::SegmentOf(end) == 2);
}

TEST_CASE("segments that were sent as a whole are removed, but the one that is written to stays") {
  Fixture fixture;
  std::vector<uint64_t> begins;
  while (fixture.Segments() < 4) begins.push_back(fixture.Write(20));
  fixture.spool.RemoveSent();
  CHECK(fixture.Segments() == 4);
  for (const uint64_t begin : begins) {
    fixture.sent.Store({begin, 0, false});
    fixture.spool.RemoveSent();
    CHECK(fixture.Segments() == 4 - format::SegmentOf(begin));
  }
  fixture.sent.Store({fixture.writer.block_end(), 0, false});
  fixture.spool.RemoveSent();
  CHECK(fixture.Segments() == 1);
}

TEST_CASE("a recording stays, whatever was sent") {
  Fixture fixture(/*is_recording=*/true);
  while (fixture.Segments() < 4) fixture.Write(20);
  fixture.sent.Store({fixture.writer.block_end(), 0, false});
  fixture.spool.RemoveSent();
  CHECK(fixture.Segments() == 4);
}

TEST_CASE("what was not handed on at the end is kept and counted") {
  Fixture fixture;
  fixture.Write(3);
  fixture.Write(4);
  const Spool::Outcome outcome = fixture.spool.Settle(/*has_open_calls=*/false);
  CHECK(outcome.kept == 7);
  CHECK(outcome.lost == 0);
  CHECK(fixture.Segments() == 1);
}

TEST_CASE("when there was nothing to send nothing is left") {
  Fixture fixture;
  fixture.spool.Begin();
  SECTION("and no call is open") {
    fixture.spool.Settle(/*has_open_calls=*/false);
    CHECK(fixture.IsEmpty());
  }
  SECTION("but calls are open, which nobody has sent as unfinished") {
    fixture.spool.Settle(/*has_open_calls=*/true);
    CHECK(fixture.Segments() == 1);
  }
}

TEST_CASE("a spool that was removed goes on in a new file, whose places are later ones") {
  Fixture fixture;
  fixture.spool.Begin();
  const uint64_t first = format::Position(0, 1000);
  CHECK(fixture.spool.RemoveIfAllSent());
  CHECK(fixture.IsEmpty());
  // The folder may go with the last file of a launch.
  std::filesystem::remove(fixture.folder());
  CHECK(fixture.Write(1) > first);
  CHECK(fixture.Segments() == 1);
  CHECK(std::filesystem::exists(fixture.writer.stem() + ".sent"));
}

TEST_CASE("spans in the files after a place are counted, also from the middle of a block") {
  Fixture fixture;
  std::vector<uint64_t> begins;
  while (fixture.Segments() < 3) begins.push_back(fixture.Write(20));
  const uint64_t all = begins.size() * 20;
  CHECK(fixture.writer.SpansAfter({0, 0, false}) == all);
  for (size_t i = 0; i < begins.size(); ++i) {
    CHECK(fixture.writer.SpansAfter({begins[i], 0, false}) == all - 20 * i);
    CHECK(fixture.writer.SpansAfter({begins[i], 7, false}) == all - 20 * i - 7);
  }
  CHECK(fixture.writer.SpansAfter({fixture.writer.block_end(), 0, false}) == 0);
}

TEST_CASE("spans that the files lost are lost, the rest is kept") {
  Fixture fixture;
  while (fixture.Segments() < 3) fixture.Write(20);
  const uint64_t all = fixture.writer.SpansAfter({0, 0, false});
  std::filesystem::remove(fixture.writer.stem() + ".000000.seg");
  const Spool::Outcome outcome = fixture.spool.Settle(/*has_open_calls=*/false);
  CHECK(outcome.lost > 0);
  CHECK(outcome.kept > 0);
  CHECK(outcome.kept + outcome.lost == all);
}

}  // namespace
}  // namespace autotrace::test
