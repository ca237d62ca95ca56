// Segment files: rotation, the limit of a run, descriptors taken away, disks that fill up.
#include "runtime/segment_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "child_process.h"
#include "segment_files.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

using format::BlockKind;

constexpr uint64_t kMegabyte = uint64_t{1} << 20;
constexpr uint64_t kKey = 0xabcdef0123456789;

SegmentWriter::Options In(const TemporaryFolder& folder) {
  SegmentWriter::Options options;
  options.folder = folder.path();
  options.process_key = kKey;
  return options;
}

// Contents that differ from block to block.
std::string Body(int number, size_t size = 60'000) {
  std::string body = std::to_string(number) + ' ';
  while (body.size() < size) body += std::to_string(number * 7919 + static_cast<int>(body.size()));
  body.resize(size);
  return body;
}

bool Write(SegmentWriter* writer, int number, uint64_t spans = 1) {
  return writer->Block(BlockKind::kRecords, "head", Body(number), spans);
}

// Did exactly these blocks arrive, in this order?
bool Holds(const std::vector<StoredSegment>& segments, const std::vector<int>& numbers) {
  std::vector<std::string> records;
  for (const StoredBlock& block : AllBlocks(segments)) {
    if (block.kind == BlockKind::kRecords) records.push_back(block.payload);
  }
  if (records.size() != numbers.size()) return false;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (records[i] != "head" + Body(numbers[i])) return false;
  }
  return true;
}

// The descriptor that a file of this folder is open under; -1: none.
int DescriptorIn(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (!error && target.starts_with(folder + "/")) return std::stoi(entry.path().filename());
  }
  return -1;
}

// The program takes the descriptor that a file of `folder` is open under for its own file `path`.
int TakeDescriptor(const std::string& folder, const std::string& path) {
  const int descriptor = DescriptorIn(folder);
  REQUIRE(descriptor >= 0);
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(dup2(file, descriptor) == descriptor);
  close(file);
  return descriptor;
}

// Nothing was written to the program's file, and its descriptor is open. Closes it.
void CheckUntouched(const std::string& path, int descriptor) {
  CHECK(std::filesystem::file_size(path) == 0);
  CHECK(write(descriptor, "x", 1) == 1);
  close(descriptor);
}

TEST_CASE("a segment is a header and the blocks as they were given") {
  const TemporaryFolder folder;
  SegmentWriter writer(In(folder));
  REQUIRE(writer.ok());
  CHECK(writer.Block(BlockKind::kClock, "", "", 0));
  CHECK(writer.Block(BlockKind::kRecords, "head", "body of odd size", 3));
  CHECK(writer.Block(BlockKind::kCounters, "head only", "", 0));
  writer.Close(0);

  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  REQUIRE(segments.size() == 1);
  CHECK(segments[0].header.version == format::kVersion);
  CHECK(segments[0].header.header_size == sizeof(format::SegmentHeader));
  CHECK(segments[0].header.process_key == kKey);
  CHECK(segments[0].header.index == 0);
  REQUIRE(segments[0].blocks.size() == 3);
  CHECK(segments[0].blocks[0].kind == BlockKind::kClock);
  CHECK(segments[0].blocks[1].payload == "headbody of odd size");
  CHECK(segments[0].blocks[2].payload == "head only");
  struct stat status;
  REQUIRE(stat((writer.stem() + ".000000.seg").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(writer.stem() == folder.path() + "/" + std::to_string(getpid()) + "-abcdef0123456789");
}

TEST_CASE("each segment can be read alone") {
  const TemporaryFolder folder;
  SegmentWriter::Options options = In(folder);
  options.segment_bytes = kMegabyte;
  std::vector<int> numbers;
  {
    SegmentWriter writer(options);
    CHECK(writer.Block(BlockKind::kProcess, "process", "", 0));
    CHECK(writer.Block(BlockKind::kModule, "first ", "module", 0));
    for (int i = 0; i < 50; ++i) {
      CHECK(Write(&writer, i));
      numbers.push_back(i);
      if (i == 30) CHECK(writer.Block(BlockKind::kFunctions, "functions", "", 0));
    }
  }
  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  REQUIRE(segments.size() == 3);
  CHECK(Holds(segments, numbers));
  for (size_t i = 0; i < segments.size(); ++i) {
    CHECK(segments[i].header.index == i);
    CHECK(segments[i].header.process_key == kKey);
    REQUIRE(segments[i].blocks.size() > 2);
    CHECK(segments[i].blocks[0].payload == "process");
    CHECK(segments[i].blocks[i == 2 ? 2 : 1].payload == "first module");
  }
  CHECK(segments[2].blocks[1].payload == "functions");
}

TEST_CASE("a block that opens a segment and belongs to its beginning is there once") {
  const TemporaryFolder folder;
  SegmentWriter::Options options = In(folder);
  options.segment_bytes = kMegabyte;
  SegmentWriter writer(options);
  for (int i = 0; i < 18; ++i) CHECK(Write(&writer, i));
  CHECK(writer.Block(BlockKind::kModule, "late module", "", 0));
  CHECK(Write(&writer, 18));
  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  REQUIRE(segments.size() == 2);
  REQUIRE(segments[1].blocks.size() == 2);
  CHECK(segments[1].blocks[0].payload == "late module");
}

TEST_CASE("a segment begins with the last news of each module, and all that is recent") {
  const TemporaryFolder folder;
  SegmentWriter::Options options = In(folder);
  options.segment_bytes = kMegabyte;
  const auto news = [](uint32_t id, uint64_t ticks, uint32_t flags = 0) {
    format::ModuleEntry entry = {};
    entry.id = id;
    entry.ticks = ticks;
    entry.flags = flags;
    return std::string(reinterpret_cast<const char*>(&entry), sizeof(entry));
  };
  {
    SegmentWriter writer(options);
    for (uint64_t time = 0; time < 1000; time += 4) {
      CHECK(writer.Block(BlockKind::kModule, news(1, time), "", 0));
      CHECK(writer.Block(BlockKind::kModule, news(1, time + 1, format::kModuleUnloaded), "", 0));
      CHECK(writer.Block(BlockKind::kModule, news(2, time + 2), "", 0));
      CHECK(writer.Block(BlockKind::kModule, news(2, time + 3, format::kModuleUnloaded), "", 0));
    }
    CHECK(writer.Block(BlockKind::kModule, news(1, 1000), "", 0));
    // Spans of that time may come until what was recorded when a pass began has been drained.
    writer.PassEnded();
    CHECK(writer.Block(BlockKind::kModule, news(3, 1001), "", 0));
    CHECK(writer.Block(BlockKind::kModule, news(4, 1002), "", 0));
    writer.PassEnded();
    CHECK(writer.Block(BlockKind::kModule, news(3, 1003), "", 0));
    for (int i = 0; i < 30; ++i) CHECK(Write(&writer, i));
  }
  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  REQUIRE(segments.size() == 2);
  REQUIRE(segments[1].blocks.size() > 6);
  CHECK(segments[1].blocks[0].payload == news(1, 1000));
  CHECK(segments[1].blocks[1].payload == news(2, 998));
  CHECK(segments[1].blocks[2].payload == news(2, 999, format::kModuleUnloaded));
  CHECK(segments[1].blocks[3].payload == news(3, 1001));
  CHECK(segments[1].blocks[4].payload == news(4, 1002));
  CHECK(segments[1].blocks[5].payload == news(3, 1003));
  CHECK(segments[1].blocks[6].kind == BlockKind::kRecords);
}

TEST_CASE("news of a module that find no room stand before the next records") {
  const TemporaryFolder folder;
  CheckOnTmpfs(folder.path(), "2m", [&] {
    format::ModuleEntry entry = {};
    entry.id = 1;
    const std::string news(reinterpret_cast<const char*>(&entry), sizeof(entry));
    {
      SegmentWriter writer(In(folder));
      if (!Write(&writer, 0)) return 1;
      folder.Write("others", std::string(kMegabyte, 'x'));
      for (int i = 1; Write(&writer, i); ++i) {
      }
      while (writer.Block(BlockKind::kRecords, "small", "", 0)) {
      }
      if (writer.Block(BlockKind::kModule, news, std::string(20'000, 'x'), 0)) return 2;
      // Not even these: a reader would take them for records of another module.
      if (writer.Block(BlockKind::kRecords, "tiny", "", 0)) return 3;
      std::filesystem::remove(folder.path() + "/others");
      if (!writer.Block(BlockKind::kRecords, "with news", "", 1)) return 4;
      // The place of the records alone: by it the exporter says what was sent.
      if (writer.block_end() - writer.block_begin() != sizeof(format::BlockHeader) + 16) return 8;
    }
    std::vector<StoredSegment> segments;
    if (!ReadSegmentsQuietly(folder.path(), &segments) || segments.size() != 1) return 5;
    const std::vector<StoredBlock>& blocks = segments[0].blocks;
    if (blocks.size() < 3 || blocks.back().payload != "with news") return 6;
    return blocks[blocks.size() - 2].payload.starts_with(news) ? 0 : 7;
  });
}

TEST_CASE("the oldest segments go when a run is larger than its limit, and are counted") {
  const TemporaryFolder folder;
  SegmentWriter::Options options = In(folder);
  options.max_run_bytes = 8 * kMegabyte;
  SegmentWriter writer(options);
  std::vector<int> all;
  uint64_t spans = 0;
  for (int i = 0; i < 400; ++i) {
    CHECK(Write(&writer, i, 10));
    all.push_back(i);
    spans += 10;
  }
  const std::vector<StoredSegment> segments = ReadSegments(folder.path());
  uint64_t bytes = 0;
  uint64_t kept_spans = 0;
  for (const StoredSegment& segment : segments) {
    bytes += segment.bytes;
    for (const StoredBlock& block : segment.blocks) {
      if (block.kind == BlockKind::kRecords) kept_spans += 10;
    }
  }
  CHECK(bytes <= options.max_run_bytes);
  CHECK(bytes > options.max_run_bytes / 2);
  CHECK(writer.removed_spans() > 0);
  CHECK(writer.removed_spans() + kept_spans == spans);
  // The newest ones are left, without a gap.
  CHECK(Holds(segments, {all.end() - static_cast<long>(kept_spans / 10), all.end()}));
  CHECK(segments.back().header.index - segments.front().header.index + 1 == segments.size());
}

TEST_CASE("other processes' segments count towards the limit and are left alone") {
  const TemporaryFolder folder;
  const std::string other =
      folder.Write("1-0000000000000000.000000.seg", std::string(6 * kMegabyte, 'x'));
  SegmentWriter::Options options = In(folder);
  options.max_run_bytes = 8 * kMegabyte;
  SegmentWriter writer(options);
  for (int i = 0; i < 200; ++i) CHECK(Write(&writer, i));
  CHECK(std::filesystem::file_size(other) == 6 * kMegabyte);
  CHECK(folder.Entries().size() <= 3);
  CHECK(writer.removed_spans() > 100);
}

// ---- Descriptors ----

TEST_CASE("a descriptor that the program closed is opened again") {
  const TemporaryFolder folder;
  SegmentWriter writer(In(folder));
  CHECK(Write(&writer, 1));
  const int descriptor = DescriptorIn(folder.path());
  REQUIRE(descriptor >= 0);
  REQUIRE(close(descriptor) == 0);
  CHECK(Write(&writer, 2));
  CHECK(Write(&writer, 3));
  CHECK(Holds(ReadSegments(folder.path()), {1, 2, 3}));
  CHECK(writer.ok());
}

TEST_CASE("a file that the program opened under our descriptor stays untouched and open") {
  const TemporaryFolder folder;
  const TemporaryFolder programs;
  const std::string path = programs.Write("file", "");
  int descriptor = -1;
  {
    SegmentWriter writer(In(folder));
    CHECK(Write(&writer, 1));
    descriptor = TakeDescriptor(folder.path(), path);
    CHECK(Write(&writer, 2));
    CHECK(Write(&writer, 3));
  }
  CHECK(Holds(ReadSegments(folder.path()), {1, 2, 3}));
  CheckUntouched(path, descriptor);
}

TEST_CASE("the program's file is not closed when a segment ends while it has our descriptor") {
  const TemporaryFolder folder;
  const TemporaryFolder programs;
  const std::string path = programs.Write("file", "");
  SegmentWriter::Options options = In(folder);
  options.segment_bytes = kMegabyte;
  SegmentWriter writer(options);
  std::vector<int> numbers;
  int descriptor = -1;
  for (int i = 0; i < 40; ++i) {
    if (i == 17) descriptor = TakeDescriptor(folder.path(), path);
    CHECK(Write(&writer, i));
    numbers.push_back(i);
  }
  writer.Close(0);
  CHECK(Holds(ReadSegments(folder.path()), numbers));
  CheckUntouched(path, descriptor);
}

TEST_CASE("a segment that was replaced by another file is not written to") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  SegmentWriter writer(In(folder));
  CHECK(Write(&writer, 1));
  const std::string precious = elsewhere.Write("precious", "kept");
  const std::string segment = folder.path() + "/" + folder.Entries().at(0);
  std::filesystem::remove(segment);
  const bool by_link = GENERATE(true, false);
  if (by_link) {
    REQUIRE(symlink(precious.c_str(), segment.c_str()) == 0);
  } else {
    REQUIRE(link(precious.c_str(), segment.c_str()) == 0);
  }
  close(DescriptorIn(folder.path()));
  CHECK_FALSE(Write(&writer, 2));
  CHECK_FALSE(Write(&writer, 3));
  CHECK_FALSE(writer.ok());
  CHECK(std::filesystem::file_size(precious) == 4);
}

TEST_CASE("a folder that cannot be written to is an error") {
  const TemporaryFolder folder;
  SegmentWriter::Options options = In(folder);
  options.folder += "/missing";
  SegmentWriter writer(options);
  CHECK_FALSE(writer.ok());
  CHECK(writer.error() == ENOENT);
  CHECK_FALSE(Write(&writer, 1));
}

TEST_CASE("a folder that goes away costs spans, not the program") {
  const TemporaryFolder folder;
  SegmentWriter::Options options = In(folder);
  options.segment_bytes = kMegabyte;
  SegmentWriter writer(options);
  CHECK(Write(&writer, 0));
  for (const std::string& entry : folder.Entries()) {
    std::filesystem::remove(folder.path() + "/" + entry);
  }
  REQUIRE(rmdir(folder.path().c_str()) == 0);
  int refused = 0;
  for (int i = 1; i < 40; ++i) refused += Write(&writer, i) ? 0 : 1;
  CHECK(refused > 0);
  CHECK(writer.error() == ENOENT);
}

// ---- Full disks ----

void SetFileSizeLimit(rlim_t soft) {
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = soft;
  setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_CASE("at the limit on file sizes the next segment begins, and no signal comes") {
  // On the background thread SIGXFSZ is blocked, on the program's own threads it is not: there, a
  // writer that runs at the start or the end must not raise it.
  const bool blocked = GENERATE(true, false);
  const TemporaryFolder folder;
  const int result = RunInChild([&] {
    if (blocked) {
      sigset_t signals;
      sigemptyset(&signals);
      sigaddset(&signals, SIGXFSZ);
      sigprocmask(SIG_BLOCK, &signals, nullptr);
    }
    SetFileSizeLimit(200'000);
    SegmentWriter writer(In(folder));
    if (!writer.ok()) return 1;
    // The limit is one file's: the next segment has room.
    for (int i = 0; i < 6; ++i) {
      if (!Write(&writer, i)) return 2;
    }
    std::vector<StoredSegment> segments;
    if (!ReadSegmentsQuietly(folder.path(), &segments)) return 3;
    if (segments.size() != 2 || !Holds(segments, {0, 1, 2, 3, 4, 5})) return 4;
    // No file can be large enough.
    SetFileSizeLimit(20'000);
    if (Write(&writer, 6) || writer.error() != EFBIG) return 5;
    if (writer.Room() == 0 || writer.Room() > 20'000) return 6;
    SetFileSizeLimit(RLIM_INFINITY);
    if (!Write(&writer, 7)) return 7;
    segments.clear();
    if (!ReadSegmentsQuietly(folder.path(), &segments)) return 8;
    if (!Holds(segments, {0, 1, 2, 3, 4, 5, 7})) return 9;
    return 0;
  });
  CHECK(result == 0);
}

TEST_CASE("a limit on file sizes below a segment's header is an error at once") {
  const TemporaryFolder folder;
  const int result = RunInChild([&] {
    SetFileSizeLimit(0);
    SegmentWriter writer(In(folder));
    return writer.error() == EFBIG ? 0 : 1;
  });
  CHECK(result == 0);
}

TEST_CASE("a segment whose beginning did not fit gets it when there is room") {
  const TemporaryFolder folder;
  const int result = RunInChild([&] {
    SegmentWriter::Options options = In(folder);
    options.segment_bytes = kMegabyte;
    SegmentWriter writer(options);
    writer.Block(BlockKind::kProcess, "process", "", 0);
    std::vector<int> numbers;
    for (int i = 0; i < 18; ++i) {
      if (!Write(&writer, i)) return 1;
      numbers.push_back(i);
    }
    SetFileSizeLimit(16);
    for (int i = 18; i < 22; ++i) {
      if (Write(&writer, i)) return 2;
    }
    SetFileSizeLimit(RLIM_INFINITY);
    for (int i = 22; i < 25; ++i) {
      if (!Write(&writer, i)) return 3;
      numbers.push_back(i);
    }
    std::vector<StoredSegment> segments;
    if (!ReadSegmentsQuietly(folder.path(), &segments)) return 4;
    if (segments.size() != 2 || segments[1].blocks.at(0).payload != "process") return 5;
    return Holds(segments, numbers) ? 0 : 6;
  });
  CHECK(result == 0);
}

TEST_CASE("on a full disk blocks are refused, and whole ones are left") {
  const TemporaryFolder folder;
  CheckOnTmpfs(folder.path(), "2m", [&] {
    SegmentWriter::Options options = In(folder);
    options.segment_bytes = kMegabyte;
    SegmentWriter writer(options);
    std::vector<int> numbers;
    int refused = 0;
    for (int i = 0; i < 60; ++i) {
      if (Write(&writer, i)) {
        numbers.push_back(i);
      } else {
        ++refused;
      }
    }
    if (refused == 0 || writer.error() != ENOSPC) return 1;
    std::vector<StoredSegment> segments;
    if (!ReadSegmentsQuietly(folder.path(), &segments)) return 2;
    return Holds(segments, numbers) ? 0 : 3;
  });
}

uint64_t BytesOnDisk(const std::string& file) {
  struct stat status = {};
  return stat(file.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

TEST_CASE("room for the end is kept back later where the disk has plenty, else at once") {
  constexpr uint64_t kKeptBack = 8 << 10;
  const TemporaryFolder folder;
  const bool plenty = GENERATE(true, false);
  CheckOnTmpfs(folder.path(), plenty ? "128m" : "2m", [&] {
    SegmentWriter::Options options = In(folder);
    options.keep_room_later = true;
    SegmentWriter writer(options);
    const std::string file = writer.stem() + ".000000.seg";
    if (!Write(&writer, 1)) return 1;
    const uint64_t written = std::filesystem::file_size(file);
    const bool kept_at_once = BytesOnDisk(file) >= written + kKeptBack;
    if (kept_at_once == plenty) return 2;
    writer.KeepRoom();
    if (BytesOnDisk(file) < written + kKeptBack) return 3;
    if (!Write(&writer, 2)) return 4;
    if (BytesOnDisk(file) < std::filesystem::file_size(file) + kKeptBack) return 5;
    writer.Close(0);
    return BytesOnDisk(file) < std::filesystem::file_size(file) + kKeptBack ? 0 : 6;
  });
}

}  // namespace
}  // namespace autotrace::test
