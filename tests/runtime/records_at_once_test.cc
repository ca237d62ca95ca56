// Several blocks of records in one go: the same on disk as one by one, also where it cannot be
// done.
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "child_process.h"
#include "fake_program.h"
#include "runtime/drainer.h"
#include "runtime/segment_writer.h"
#include "segment_files.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

using format::BlockKind;

// Blocks of different sizes and contents.
class SomeRecords {
 public:
  explicit SomeRecords(size_t count) {
    bodies_.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      bodies_.emplace_back(8 * (1 + i * 37 % 2000), static_cast<char>('a' + i % 26));
      blocks_.push_back({{static_cast<uint32_t>(i), 1, 0, 0, i}, bodies_.back(), i});
    }
  }
  const std::vector<RecordsBlock>& blocks() const { return blocks_; }
  bool AreIn(const std::vector<StoredSegment>& segments) const {
    size_t next = 0;
    for (const StoredBlock& block : AllBlocks(segments)) {
      if (block.kind != BlockKind::kRecords) continue;
      if (next == blocks_.size() ||
          block.payload != std::string(blocks_[next].head_bytes()) + bodies_[next]) {
        return false;
      }
      ++next;
    }
    return next == blocks_.size();
  }

 private:
  std::vector<std::string> bodies_;
  std::vector<RecordsBlock> blocks_;
};

// As the drainer does it. How many were written with others.
size_t WriteAll(SegmentWriter* writer, const std::vector<RecordsBlock>& blocks) {
  size_t together = 0;
  for (size_t i = 0; i < blocks.size();) {
    const size_t taken = writer->RecordsAtOnce(&blocks[i], blocks.size() - i);
    together += taken;
    i += taken;
    if (taken > 0) continue;
    writer->Block(BlockKind::kRecords, blocks[i].head_bytes(), blocks[i].body, blocks[i].spans);
    ++i;
  }
  return together;
}

SegmentWriter::Options In(const TemporaryFolder& folder) {
  SegmentWriter::Options options;
  options.folder = folder.path();
  options.process_key = 1;
  options.segment_bytes = 1 << 20;
  return options;
}

TEST_CASE("blocks that are written in one go are there as if each had been written") {
  const TemporaryFolder folder;
  const SomeRecords records(600);  // some 5 MB, so that segments follow one another
  SegmentWriter writer(In(folder));
  CHECK(WriteAll(&writer, records.blocks()) > 550);
  const uint64_t end = writer.block_end();
  writer.Close(0);
  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  CHECK(segments.size() == 5);
  CHECK(records.AreIn(segments));
  const std::string last = writer.stem() + ".000004.seg";
  CHECK(end == format::Position(4, std::filesystem::file_size(last)));
}

TEST_CASE("blocks for which there is no room together are written one by one") {
  const TemporaryFolder folder;
  const int result = RunInChild([&] {
    const rlimit limit = {100'000, 100'000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    SegmentWriter writer(In(folder));
    const SomeRecords records(60);  // some 500 KB
    WriteAll(&writer, records.blocks());
    std::vector<StoredSegment> segments;
    if (!ReadSegmentsQuietly(folder.path(), &segments) || segments.size() < 5) return 2;
    return records.AreIn(segments) ? 0 : 3;
  });
  CHECK(result == 0);
}

TEST_CASE("a descriptor that the program closed is opened again for several blocks") {
  const TemporaryFolder folder;
  SegmentWriter writer(In(folder));
  const SomeRecords records(30);
  const std::vector<RecordsBlock> first(records.blocks().begin(), records.blocks().begin() + 15);
  const std::vector<RecordsBlock> rest(records.blocks().begin() + 15, records.blocks().end());
  WriteAll(&writer, first);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (target.ends_with(".seg")) close(std::stoi(entry.path().filename()));
  }
  WriteAll(&writer, rest);
  CHECK(records.AreIn(ReadSegments(folder.path())));
}

// Takes two blocks at a time, and refuses each fifth that it is given alone.
class PickySink final : public BlockSink {
 public:
  bool Block(BlockKind kind, std::string_view, std::string_view body, uint64_t spans) override {
    if (kind != BlockKind::kRecords) return true;
    if (++alone_ % 5 == 0) return false;
    Take(body, spans);
    return true;
  }
  size_t RecordsAtOnce(const RecordsBlock* blocks, size_t count) override {
    if (count < 2 || ++asked_ % 3 == 0) return 0;
    for (size_t i = 0; i < 2; ++i) Take(blocks[i].body, blocks[i].spans);
    return 2;
  }
  bool Flush(uint64_t) override { return true; }
  void Close(uint64_t) override {}

  uint64_t spans() const { return spans_; }
  bool in_order() const { return in_order_; }

 private:
  void Take(std::string_view body, uint64_t spans) {
    spans_ += spans;
    uint64_t start = 0;
    memcpy(&start, body.data() + sizeof(uint64_t), sizeof(start));
    in_order_ &= start > last_start_;
    last_start_ = start;
  }

  int alone_ = 0;
  int asked_ = 0;
  uint64_t spans_ = 0;
  uint64_t last_start_ = 0;
  bool in_order_ = true;
};

TEST_CASE("what a sink takes of several blocks, and what it refuses, is counted once") {
  FakeProgram program;
  RecorderPool pool(&program.shared());
  ModuleTable modules(&program.shared().decisions);
  filters::Config config;
  config.active = true;
  config.modules = {"*"};
  const filters::FunctionFilter filter(config);
  Decider decider(config, &filter, &modules, &program.shared().short_calls);
  Drainer drainer(&program.shared(), &pool, &modules, &decider);
  PickySink sink;
  drainer.AddSink(&sink);
  FakeThread thread(&program);
  constexpr uint64_t kCalls = 20'000;  // some 50 chunks
  for (uint64_t i = 0; i < kCalls; ++i) thread.Call('a');
  drainer.Pass();
  CHECK(sink.in_order());
  CHECK(program.Counted(format::Counter::kDroppedDisk) > 0);
  CHECK(sink.spans() + program.Counted(format::Counter::kDroppedDisk) +
            program.Counted(format::Counter::kDroppedRingFull) ==
        kCalls);
  CHECK(drainer.recorded_spans() + program.Counted(format::Counter::kDroppedRingFull) == kCalls);
}

}  // namespace
}  // namespace autotrace::test
