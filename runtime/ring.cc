#include "runtime/ring.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/futex.h"
#include "runtime/process_facts.h"

namespace autotrace {
namespace {

constexpr uint64_t kSmallestRing = uint64_t{256} << 10;
constexpr uint32_t kLargestChunk = 64 << 10;
constexpr uint32_t kSmallestChunk = 4 << 10;
constexpr uint64_t kPage = 4096;

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

// May a file of ours grow to this size? Growing past RLIMIT_FSIZE would raise SIGXFSZ.
bool FileSizeIsAllowed(uint64_t size) {
  rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
         limit.rlim_cur >= size;
}

}  // namespace

std::string RingNamePrefix(const std::string& process) {
  return "autotrace-" + std::to_string(getuid()) + "-" + process + "-";
}

bool Ring::MapFile(const Options& options, uint64_t size) {
  if (options.folder.empty() || !FileSizeIsAllowed(size)) return false;
  path_ = options.folder + "/" +
          RingNamePrefix(std::to_string(getpid()) + "-" + HexDigits(options.process_key)) +
          HexDigits(RandomWord());
  const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  void* memory = MAP_FAILED;
  if (fallocate(file, 0, 0, static_cast<off_t>(size)) == 0) {
    memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  }
  close(file);
  if (memory == MAP_FAILED) {
    unlink(path_.c_str());
    return false;
  }
  base_ = static_cast<char*>(memory);
  return true;
}

bool Ring::Create(const Options& options) {
  size_ = RoundUp(std::max(options.size, kSmallestRing), kPage);
  while (!MapFile(options, size_)) {
    path_.clear();
    if (size_ / 2 < kSmallestRing) {
      size_ = RoundUp(std::max(options.size, kSmallestRing), kPage);
      // Shared, so that a fork does not make the child's reader see a copy of what is still ours.
      void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
      if (memory == MAP_FAILED) return false;
      base_ = static_cast<char*>(memory);
      break;
    }
    size_ = RoundUp(size_ / 2, kPage);
  }
  Format(options);
  return true;
}

void Ring::Format(const Options& options) {
  header_ = reinterpret_cast<format::RingHeader*>(base_);
  header_->version = format::kVersion;
  header_->header_size = sizeof(format::RingHeader);
  header_->process_key = options.process_key;
  header_->pid = static_cast<uint64_t>(getpid());
  header_->kernel_start_time = options.kernel_start_time;
  header_->metadata_offset = kPage;
  header_->metadata_capacity = RoundUp(std::min<uint64_t>(size_ / 16, 512 << 10), kPage);
  header_->open_frames_offset = header_->metadata_offset + header_->metadata_capacity;
  header_->open_frames_capacity = RoundUp(std::min<uint64_t>(size_ / 32, 1 << 20), kPage);
  header_->chunks_offset = header_->open_frames_offset + 2 * header_->open_frames_capacity;
  const uint64_t chunk_bytes = size_ - header_->chunks_offset;
  header_->chunk_size = kLargestChunk;
  while (header_->chunk_size > kSmallestChunk && chunk_bytes / header_->chunk_size < 64) {
    header_->chunk_size /= 2;
  }
  header_->chunk_count = static_cast<uint32_t>(chunk_bytes / header_->chunk_size);
  // Chunk 0 on top, so that a quiet program keeps using the same few pages.
  for (uint32_t i = 0; i < header_->chunk_count; ++i) {
    chunk(i)->header.next_free.store(i + 1 < header_->chunk_count ? i + 2 : 0,
                                     std::memory_order_relaxed);
  }
  header_->free_list.store(header_->chunk_count > 0 ? 1 : 0, std::memory_order_release);
  // Last: a reader that finds the magic finds all of the above.
  memcpy(header_->magic, format::kRingMagic, sizeof(format::kRingMagic));
}

Ring::Chunk* Ring::Claim(uint32_t thread_index, uint64_t tid, uint32_t chunk_sequence,
                         uint64_t ticks) {
  uint64_t head = header_->free_list.load(std::memory_order_acquire);
  Chunk* claimed = nullptr;
  do {
    const auto index = static_cast<uint32_t>(head);
    if (index == 0) return nullptr;
    claimed = chunk(index - 1);
    // The tag in the high half makes a head that was taken and put back in between a different one.
    const uint64_t next = claimed->header.next_free.load(std::memory_order_relaxed);
    if (header_->free_list.compare_exchange_weak(head, (((head >> 32) + 1) << 32) | next,
                                                 std::memory_order_acq_rel)) {
      break;
    }
  } while (true);
  claimed->header.thread_index = thread_index;
  claimed->header.chunk_sequence = chunk_sequence;
  claimed->header.claim_ticks = ticks;
  claimed->header.tid = tid;
  claimed->header.read_offset.store(0, std::memory_order_relaxed);
  claimed->data[0] = 0;
  claimed->header.state.store(format::ChunkState::kOwned, std::memory_order_release);
  return claimed;
}

void Ring::Free(Chunk* freed) {
  freed->header.state.store(format::ChunkState::kFree, std::memory_order_release);
  const auto index = static_cast<uint32_t>(
      (reinterpret_cast<char*>(freed) - base_ - static_cast<ptrdiff_t>(header_->chunks_offset)) /
      header_->chunk_size);
  uint64_t head = header_->free_list.load(std::memory_order_acquire);
  do {
    freed->header.next_free.store(static_cast<uint32_t>(head), std::memory_order_relaxed);
  } while (!header_->free_list.compare_exchange_weak(head, (((head >> 32) + 1) << 32) | (index + 1),
                                                     std::memory_order_acq_rel));
}

bool Ring::AppendMetadata(std::string_view block) {
  if (metadata_busy_.exchange(true, std::memory_order_acquire)) return false;
  const uint64_t size = header_->metadata_size.load(std::memory_order_relaxed);
  const bool fits = size + block.size() <= header_->metadata_capacity;
  if (fits) {
    memcpy(base_ + header_->metadata_offset + size, block.data(), block.size());
    header_->metadata_size.store(size + block.size(), std::memory_order_release);
  }
  metadata_busy_.store(false, std::memory_order_release);
  return fits;
}

bool Ring::PublishOpenFrames(std::string_view blocks) {
  if (blocks.size() + sizeof(uint64_t) > header_->open_frames_capacity) return false;
  const uint64_t area = header_->open_frames_current.load(std::memory_order_relaxed) == 1 ? 2 : 1;
  char* target = base_ + header_->open_frames_offset + (area - 1) * header_->open_frames_capacity;
  const uint64_t size = blocks.size();
  memcpy(target, &size, sizeof(size));
  memcpy(target + sizeof(size), blocks.data(), blocks.size());
  header_->open_frames_current.store(area, std::memory_order_release);
  return true;
}

void Ring::WakeReader() {
  if (header_->reader_waiting.load(std::memory_order_relaxed) == 0) return;
  if (header_->reader_waiting.exchange(0, std::memory_order_acq_rel) == 0) return;
  FutexWake(&header_->reader_waiting);
}

void Ring::WaitForWork(uint64_t nanos) {
  header_->reader_waiting.store(1, std::memory_order_release);
  FutexWait(&header_->reader_waiting, 1, nanos);
  header_->reader_waiting.store(0, std::memory_order_release);
}

void Ring::Unlink() {
  if (!path_.empty()) unlink(path_.c_str());
}

void Ring::Abandon() {
  if (base_ != nullptr) munmap(base_, size_);
  base_ = nullptr;
  header_ = nullptr;
  path_.clear();
  metadata_busy_.store(false, std::memory_order_relaxed);
}

}  // namespace autotrace
