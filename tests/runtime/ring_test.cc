// The ring by itself: chunks, metadata, open-frame areas, and where its memory comes from.
#include "runtime/ring.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "runtime/clock.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

constexpr uint64_t kMegabyte = uint64_t{1} << 20;
constexpr uint64_t kMinute = uint64_t{60} * 1'000'000'000;

// A ring that is gone at the end of its test.
class TestRing {
 public:
  explicit TestRing(uint64_t size = kMegabyte, const std::string& folder = "",
                    uint64_t first_chunks = UINT64_MAX) {
    Ring::Options options;
    options.size = size;
    options.first_chunks = first_chunks;
    options.folder = folder;
    options.process_key = 0x1122334455667788;
    options.kernel_start_time = 99;
    created_ = ring_.Create(options);
  }
  ~TestRing() {
    if (!created_) return;
    ring_.Unlink();
    ring_.Abandon();
  }
  bool created() const { return created_; }
  Ring* operator->() { return &ring_; }

 private:
  Ring ring_;
  bool created_ = false;
};

// ---- Chunks ----

TEST_CASE("every chunk can be claimed once, and again when it is free") {
  TestRing ring;
  for (int round = 0; round < 3; ++round) {
    std::vector<Ring::Chunk*> claimed;
    while (Ring::Chunk* chunk = ring->Claim(7, 70, 3, 1234)) {
      CHECK(chunk->header.state.load() == format::ChunkState::kOwned);
      CHECK(chunk->header.thread_index == 7);
      CHECK(chunk->header.chunk_sequence == 3);
      CHECK(chunk->header.claim_ticks == 1234);
      CHECK(chunk->header.read_offset.load() == 0);
      CHECK(chunk->data[0] == 0);
      chunk->data[0] = 1;
      chunk->header.read_offset = 8;
      claimed.push_back(chunk);
      REQUIRE(claimed.size() <= ring->chunk_count());
    }
    REQUIRE(claimed.size() == ring->chunk_count());
    for (Ring::Chunk* chunk : claimed) {
      Ring::Release(chunk);
      CHECK(chunk->header.state.load() == format::ChunkState::kFull);
      ring->Free(chunk);
      CHECK(chunk->header.state.load() == format::ChunkState::kFree);
    }
  }
}

TEST_CASE("a quiet program keeps using the same chunk") {
  TestRing ring;
  Ring::Chunk* first = ring->Claim(1, 10, 1, 0);
  ring->Free(first);
  CHECK(ring->Claim(1, 10, 2, 0) == first);
}

TEST_CASE("chunks are neither lost nor given twice when four threads claim and free") {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50'000;
  TestRing ring(kMegabyte / 2);
  std::unique_ptr<std::atomic<int>[]> owners(new std::atomic<int>[ring->chunk_count()]());
  std::atomic<int> given_twice{0};
  const auto index_of = [&](Ring::Chunk* chunk) {
    return static_cast<size_t>(reinterpret_cast<char*>(chunk) -
                               reinterpret_cast<char*>(ring->chunk(0))) /
           ring->header()->chunk_size;
  };
  std::vector<std::thread> threads;
  for (int thread = 1; thread <= kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<Ring::Chunk*> held;
      for (int round = 0; round < kRounds; ++round) {
        // Between none and a third of the ring, so that the list runs empty now and then.
        if (held.size() < ring->chunk_count() / 3 && round % 7 != 0) {
          Ring::Chunk* chunk = ring->Claim(static_cast<uint32_t>(thread), 10, 1, 0);
          if (chunk == nullptr) continue;
          if (owners[index_of(chunk)].exchange(thread) != 0) ++given_twice;
          held.push_back(chunk);
        } else if (!held.empty()) {
          Ring::Chunk* chunk = held.back();
          held.pop_back();
          if (owners[index_of(chunk)].exchange(0) != thread) ++given_twice;
          ring->Free(chunk);
        }
      }
      for (Ring::Chunk* chunk : held) {
        owners[index_of(chunk)] = 0;
        ring->Free(chunk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(given_twice == 0);
  uint32_t left = 0;
  while (ring->Claim(1, 10, 1, 0) != nullptr) ++left;
  CHECK(left == ring->chunk_count());
}

TEST_CASE("areas of the ring do not overlap and lie inside of it") {
  const uint64_t size =
      GENERATE(uint64_t{1}, uint64_t{64} << 10, uint64_t{256} << 10, uint64_t{300'000}, kMegabyte,
               3 * kMegabyte, 32 * kMegabyte, 33 * kMegabyte + 1);
  TestRing ring(size);
  const format::RingHeader& header = *ring->header();
  CHECK(ring->size() >= size);
  CHECK(header.metadata_offset >= header.header_size);
  CHECK(header.open_frames_offset >= header.metadata_offset + header.metadata_capacity);
  CHECK(header.chunks_offset >= header.open_frames_offset + 2 * header.open_frames_capacity);
  CHECK(header.chunks_offset + uint64_t{header.chunk_size} * header.chunk_count <= ring->size());
  CHECK(header.chunk_count >= 8);
  // A name or an attribute of the largest size still fits into a chunk beside a trace begin.
  CHECK(ring->chunk_data_bytes() >= 4000);
  CHECK(std::string_view(header.magic, 8) == std::string_view(format::kRingMagic, 8));
  CHECK(header.version == format::kVersion);
  CHECK(header.process_key == 0x1122334455667788);
  CHECK(header.kernel_start_time == 99);
  CHECK(header.pid == static_cast<uint64_t>(getpid()));
}

// ---- Metadata ----

TEST_CASE("metadata holds whole blocks in order and refuses what does not fit") {
  TestRing ring;
  const std::string first(64, 'a');
  const std::string second(128, 'b');
  CHECK(ring->AppendMetadata(first));
  CHECK(ring->AppendMetadata(second));
  const char* area =
      reinterpret_cast<const char*>(ring->header()) + ring->header()->metadata_offset;
  CHECK(ring->header()->metadata_size.load() == 192);
  CHECK(std::string(area, 192) == first + second);

  const uint64_t capacity = ring->header()->metadata_capacity;
  CHECK_FALSE(ring->AppendMetadata(std::string(capacity - 191, 'c')));
  CHECK(ring->header()->metadata_size.load() == 192);
  CHECK(ring->AppendMetadata(std::string(capacity - 192, 'd')));
  CHECK_FALSE(ring->AppendMetadata(std::string(8, 'e')));
}

TEST_CASE("metadata of four threads does not mix") {
  constexpr int kThreads = 4;
  constexpr int kBlocks = 200;
  TestRing ring(4 * kMegabyte);
  REQUIRE(ring->header()->metadata_capacity >= kThreads * kBlocks * 40);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string block(40, static_cast<char>('a' + thread));
      for (int i = 0; i < kBlocks; ++i) {
        while (!ring->AppendMetadata(block)) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const char* area =
      reinterpret_cast<const char*>(ring->header()) + ring->header()->metadata_offset;
  REQUIRE(ring->header()->metadata_size.load() == kThreads * kBlocks * 40);
  std::vector<int> count(kThreads, 0);
  for (int i = 0; i < kThreads * kBlocks; ++i) {
    const std::string block(area + 40 * i, 40);
    REQUIRE(block == std::string(40, block[0]));
    ++count[block[0] - 'a'];
  }
  CHECK(count == std::vector<int>(kThreads, kBlocks));
}

// ---- Open frames ----

std::string OpenFrames(TestRing* ring) {
  const format::RingHeader* header = (*ring)->header();
  const uint64_t area = header->open_frames_current.load();
  if (area == 0) return "none";
  const char* start = reinterpret_cast<const char*>(header) + header->open_frames_offset +
                      (area - 1) * header->open_frames_capacity;
  uint64_t size = 0;
  memcpy(&size, start, sizeof(size));
  return std::string(start + sizeof(size), size);
}

TEST_CASE("open frames are published in turns, so that one area is always whole") {
  TestRing ring;
  CHECK(OpenFrames(&ring) == "none");
  CHECK(ring->PublishOpenFrames("first"));
  const uint64_t area = ring->header()->open_frames_current.load();
  CHECK(OpenFrames(&ring) == "first");
  CHECK(ring->PublishOpenFrames("second set"));
  CHECK(ring->header()->open_frames_current.load() != area);
  CHECK(OpenFrames(&ring) == "second set");
  CHECK(ring->PublishOpenFrames(""));
  CHECK(ring->header()->open_frames_current.load() == area);
  CHECK(OpenFrames(&ring).empty());
}

TEST_CASE("open frames that do not fit leave the earlier ones") {
  TestRing ring;
  const uint64_t capacity = ring->header()->open_frames_capacity;
  CHECK(ring->PublishOpenFrames("small"));
  CHECK_FALSE(ring->PublishOpenFrames(std::string(capacity - 7, 'x')));
  CHECK(OpenFrames(&ring) == "small");
  const std::string largest(capacity - 8, 'x');
  CHECK(ring->PublishOpenFrames(largest));
  CHECK(ring->PublishOpenFrames(largest));
  CHECK(OpenFrames(&ring) == largest);
}

// ---- Waiting ----

TEST_CASE("a sleeping reader is woken") {
  TestRing ring;
  std::atomic<bool> awake{false};
  std::thread reader([&] { awake = ring->WaitForWork(kMinute, 1, [] { return false; }); });
  while (!awake) {
    ring->WakeReader();
    std::this_thread::yield();
  }
  reader.join();
  CHECK(ring->header()->reader_waiting.load() == 0);
}

TEST_CASE("a reader that waits for several claims is woken by the last of them") {
  TestRing ring;
  std::atomic<bool> awake{false};
  std::thread reader([&] {
    ring->WaitForWork(kMinute, 3, [] { return false; });
    awake = true;
  });
  while (ring->header()->reader_waiting.load() != 3) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // asleep by now, nearly for sure
  ring->WakeReader();
  ring->WakeReader();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_FALSE(awake);
  ring->WakeReader();
  reader.join();
  CHECK(awake);
}

TEST_CASE("a request that comes right before the reader sleeps is not slept over") {
  TestRing ring;
  const uint64_t before = MonotonicNanos();
  for (int i = 0; i < 2000; ++i) {
    std::atomic<bool> wanted{false};
    std::thread reader([&] {
      while (!wanted) ring->WaitForWork(kMinute, 1, [&] { return wanted.load(); });
    });
    wanted = true;
    ring->WakeReaderNow();
    reader.join();
  }
  CHECK(MonotonicNanos() - before < kMinute);
}

TEST_CASE("a reader that nobody wakes gets up by itself") {
  TestRing ring;
  const uint64_t before = MonotonicNanos();
  CHECK_FALSE(ring->WaitForWork(2'000'000, 1, [] { return false; }));
  CHECK(MonotonicNanos() - before >= 2'000'000);
}

// ---- Memory ----

TEST_CASE("the ring's file is private to the user, of full size, and gone when unlinked") {
  const TemporaryFolder folder;
  TestRing ring(kMegabyte, folder.path());
  REQUIRE(ring.created());
  REQUIRE(folder.Entries().size() == 1);
  CHECK(ring->path() == folder.path() + "/" + folder.Entries()[0]);
  struct stat status;
  REQUIRE(stat(ring->path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(static_cast<uint64_t>(status.st_size) == ring->size());
  // Reserved, not sparse: a mapping of a sparse file can be killed by SIGBUS later.
  CHECK(static_cast<uint64_t>(status.st_blocks) * 512 >=
        ring->header()->chunks_offset + uint64_t{ring->chunk_count()} * ring->header()->chunk_size);
  ring->Unlink();
  CHECK(folder.Entries().empty());
  ring->header()->finished = 1;  // the mapping stays
}

TEST_CASE("two rings of one process have different files") {
  const TemporaryFolder folder;
  TestRing first(kMegabyte, folder.path());
  TestRing second(kMegabyte, folder.path());
  CHECK(first->path() != second->path());
  CHECK(folder.Entries().size() == 2);
}

TEST_CASE("without a folder to write to the ring is private memory") {
  const std::string folder = GENERATE("", "/nonexistent/folder", "/proc");
  TestRing ring(kMegabyte, folder);
  REQUIRE(ring.created());
  CHECK(ring->path().empty());
  CHECK(ring->size() == kMegabyte);
  CHECK(ring->Claim(1, 10, 1, 0) != nullptr);
}

TEST_CASE("a limit on file sizes makes the ring smaller and raises no signal") {
  const TemporaryFolder folder;
  const int result = RunInChild([&] {
    LimitFileSize(kMegabyte + 5000);
    TestRing ring(32 * kMegabyte, folder.path());
    if (!ring.created() || ring->path().empty()) return 1;
    if (ring->size() != kMegabyte + 4096) return 2;
    return ring->Claim(1, 10, 1, 0) != nullptr ? 0 : 3;
  });
  CHECK(result == 0);
}

TEST_CASE("a limit on file sizes below the smallest ring leads to private memory") {
  const TemporaryFolder folder;
  const int result = RunInChild([&] {
    LimitFileSize(1000);
    TestRing ring(kMegabyte, folder.path());
    if (!ring.created() || !ring->path().empty()) return 1;
    return ring->size() == kMegabyte && ring->Claim(1, 10, 1, 0) != nullptr ? 0 : 2;
  });
  CHECK(result == 0);
  CHECK(folder.Entries().empty());
}

// Bytes of chunks that could be claimed and written to.
uint64_t FillAllChunks(TestRing* ring) {
  uint64_t bytes = 0;
  while (Ring::Chunk* chunk = (*ring)->Claim(1, 10, 1, 0)) {
    memset(chunk->data, 0x55, (*ring)->chunk_data_bytes());
    bytes += (*ring)->chunk_data_bytes();
  }
  return bytes;
}

TEST_CASE("a small tmpfs is nearly filled by the ring, a full one leads to private memory") {
  const TemporaryFolder folder;
  CheckOnTmpfs(folder.path(), "1m", [&] {
    TestRing ring(32 * kMegabyte, folder.path());
    if (!ring.created() || ring->path().empty()) return 1;
    if (FillAllChunks(&ring) < kMegabyte / 10 * 9) return 2;
    TestRing second(kMegabyte, folder.path());
    if (!second.created() || !second->path().empty()) return 3;
    return folder.Entries().size() == 1 ? 0 : 4;
  });
}

TEST_CASE("a quiet ring gives memory back and takes it again") {
  Ring::Options options;
  options.size = uint64_t{16} << 20;
  options.first_chunks = uint64_t{4} << 20;
  options.folder = GENERATE(std::string("/dev/shm"), std::string());
  Ring ring;
  REQUIRE(ring.Create(options));
  const uint32_t first = ring.chunks_with_memory();
  while (ring.Grow()) {
  }
  while (ring.MapAhead()) {
  }
  const uint32_t most = ring.chunks_with_memory();
  REQUIRE(most > 2 * first);
  Ring::Chunk* used = ring.Claim(1, 1, 1, 1);
  REQUIRE(used != nullptr);
  used->data[5] = 77;
  for (int i = 0; i < 50; ++i) ring.Shrink();
  CHECK(ring.chunks_with_memory() == first);
  // What is in use is left alone, and what has no memory is not given out.
  CHECK(used->data[5] == 77);
  std::vector<Ring::Chunk*> claimed;
  while (Ring::Chunk* chunk = ring.Claim(2, 2, 1, 1)) claimed.push_back(chunk);
  CHECK(claimed.size() == first - 1);
  uint32_t parked = 0;
  for (uint32_t i = 0; i < ring.chunk_count(); ++i) {
    if (!ring.is_parked(i)) continue;
    ++parked;
    CHECK(std::count(claimed.begin(), claimed.end(), ring.chunk(i)) == 0);
    CHECK(ring.chunk(i) != used);
  }
  CHECK(parked == most - first);
  while (ring.Grow()) {
  }
  CHECK(ring.chunks_with_memory() == most);
  while (Ring::Chunk* chunk = ring.Claim(3, 3, 1, 1)) claimed.push_back(chunk);
  CHECK(claimed.size() == most - 1);
  ring.Unlink();
  ring.Abandon();
}

TEST_CASE("a tmpfs that is filled by others meanwhile stops the ring's growth and no more") {
  const TemporaryFolder folder;
  CheckOnTmpfs(folder.path(), "16m", [&] {
    TestRing ring(12 * kMegabyte, folder.path(), kMegabyte);
    if (!ring.created() || ring->path().empty()) return 1;
    const uint64_t before = FillAllChunks(&ring);
    const std::string others = folder.Write("others", std::string(11 * kMegabyte, 'x'));
    while (ring->Grow()) {
    }
    const uint64_t added = FillAllChunks(&ring);
    if (added == 0 || before + added > 5 * kMegabyte) return 2;
    return !ring->Grow() && FillAllChunks(&ring) == 0 ? 0 : 3;
  });
}

TEST_CASE("open frames that memory was reserved for find it, whatever else fills the tmpfs") {
  const TemporaryFolder folder;
  const bool is_reserved = GENERATE(true, false);
  CheckOnTmpfs(folder.path(), "16m", [&] {
    TestRing ring(12 * kMegabyte, folder.path(), kMegabyte);
    if (!ring.created() || ring->path().empty()) return 1;
    while (is_reserved && ring->ReserveOpenFrames()) {
    }
    const int others = open((folder.path() + "/others").c_str(), O_CREAT | O_WRONLY, 0600);
    const std::string page(4096, 'x');
    while (write(others, page.data(), page.size()) == 4096) {
    }
    close(others);
    // Without memory they are refused. Touching what has none would end this process.
    const std::string frames(ring->header()->open_frames_capacity - sizeof(uint64_t), 'f');
    for (int area = 0; area < 2; ++area) {
      if (ring->PublishOpenFrames(frames) != is_reserved) return 2;
    }
    return ring->PublishOpenFrames("few") == is_reserved ? 0 : 3;
  });
}

TEST_CASE("a ring leaves most of a small tmpfs to the run that is recorded there, too") {
  const TemporaryFolder folder;
  CheckOnTmpfs(folder.path(), "1m", [&] {
    Ring ring;
    Ring::Options options;
    options.folder = options.recorded_to = folder.path();
    if (!ring.Create(options) || ring.path().empty()) return 1;
    return ring.size() <= kMegabyte / 10 && ring.Claim(1, 10, 1, 0) != nullptr ? 0 : 2;
  });
}

TEST_CASE("a ring grows by chunks until it has its size") {
  const TemporaryFolder folder;
  const bool in_file = GENERATE(true, false);
  TestRing ring(8 * kMegabyte, in_file ? folder.path() : "", kMegabyte);
  const uint64_t first = FillAllChunks(&ring);
  CHECK(first >= kMegabyte / 2);
  CHECK(first <= 2 * kMegabyte);
  struct stat status = {};
  if (in_file) {
    REQUIRE(stat(ring->path().c_str(), &status) == 0);
    CHECK(static_cast<uint64_t>(status.st_blocks) * 512 < 3 * kMegabyte);
  }
  int steps = 0;
  uint64_t whole = first;
  for (bool more = true; more; ++steps) {
    more = ring->Grow();
    whole += FillAllChunks(&ring);
  }
  CHECK(steps >= 3);
  CHECK(whole > 7 * kMegabyte);
  CHECK_FALSE(ring->Grow());
}

// Bytes of the ring's mapping that are in this process's page tables.
uint64_t MappedBytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    found = found || line.ends_with(path);
    if (found && line.starts_with("Rss:")) return std::stoull(line.substr(4)) * 1024;
  }
  return 0;
}

TEST_CASE("most of the first chunks are mapped later, and can be used before") {
  const TemporaryFolder folder;
  TestRing ring(32 * kMegabyte, folder.path(), 8 * kMegabyte);
  const uint32_t first = ring->chunks_with_memory();
  CHECK(uint64_t{first} * ring->header()->chunk_size > 7 * kMegabyte);
  CHECK(MappedBytes(ring->path()) < 2 * kMegabyte);
  SECTION("the reader maps them") {
    while (ring->MapAhead()) {
    }
    CHECK(MappedBytes(ring->path()) > 7 * kMegabyte);
    CHECK(MappedBytes(ring->path()) < 9 * kMegabyte);
  }
  SECTION("the reader maps them while they are in use") {
    std::vector<Ring::Chunk*> used;
    for (uint32_t i = 0; i < first / 2; ++i) {
      used.push_back(ring->Claim(1, 10, i, 0));
      REQUIRE(used.back() != nullptr);
      used.back()->data[1] = i;
    }
    while (ring->MapAhead()) {
    }
    for (uint32_t i = 0; i < first / 2; ++i) CHECK(used[i]->data[1] == i);
    CHECK(FillAllChunks(&ring) == uint64_t{first - first / 2} * ring->chunk_data_bytes());
    return;
  }
  SECTION("they come before those that are added") {
    ring->Grow();
    for (uint32_t i = 0; i < first; ++i) REQUIRE(ring->Claim(1, 10, i, 0) < ring->chunk(first));
    CHECK(FillAllChunks(&ring) ==
          uint64_t{2 * kMegabyte} / ring->header()->chunk_size * ring->chunk_data_bytes());
    return;
  }
  SECTION("nobody maps them") {}
  CHECK(ring->HasFreeChunk());
  CHECK(FillAllChunks(&ring) == uint64_t{first} * ring->chunk_data_bytes());
  CHECK_FALSE(ring->HasFreeChunk());
  CHECK(ring->chunk_count() == first);
}

TEST_CASE("chunks are given once while the reader maps them and the ring grows") {
  const TemporaryFolder folder;
  for (int round = 0; round < 10; ++round) {
    TestRing ring(16 * kMegabyte, folder.path(), 8 * kMegabyte);
    std::vector<Ring::Chunk*> claimed[3];
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (std::vector<Ring::Chunk*>& own : claimed) {
      threads.emplace_back([&] {
        do {
          while (Ring::Chunk* chunk = ring->Claim(1, 10, 1, 0)) own.push_back(chunk);
        } while (!done);
      });
    }
    while (ring->MapAhead() || ring->Grow()) {
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
    while (Ring::Chunk* chunk = ring->Claim(1, 10, 1, 0)) claimed[0].push_back(chunk);
    std::set<Ring::Chunk*> all;
    for (const std::vector<Ring::Chunk*>& own : claimed) all.insert(own.begin(), own.end());
    CHECK(all.size() == claimed[0].size() + claimed[1].size() + claimed[2].size());
    CHECK(all.size() == ring->chunk_count());
    CHECK(all.size() == ring->chunks_with_memory());
  }
}

}  // namespace
}  // namespace autotrace::test
