#include "runtime/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/futex.h"
#include "runtime/private_files.h"
#include "runtime/process_facts.h"

namespace autotrace {
namespace {

constexpr uint64_t kSmallestRing = uint64_t{48} << 10;
// A thread holds one, so they are small enough for a thousand threads to have theirs.
constexpr uint32_t kLargestChunk = 16 << 10;
constexpr uint32_t kSmallestChunk = 4 << 10;
constexpr uint64_t kGrowStep = uint64_t{2} << 20;
constexpr uint64_t kPage = 4096;
#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;  // Linux 5.14
#endif

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }
uint64_t RoundDown(uint64_t value, uint64_t unit) { return value / unit * unit; }

uint64_t Limit(int resource) {
  rlimit limit;
  return getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0 ? limit.rlim_cur
                                                                            : RLIM_INFINITY;
}

bool OnSameFilesystem(const std::string& first, const std::string& second) {
  struct stat one;
  struct stat other;
  return stat(first.c_str(), &one) == 0 && stat(second.c_str(), &other) == 0 &&
         one.st_dev == other.st_dev;
}

// What a ring may take of the room in its folder. Something is left for the program, which may use
// /dev/shm itself; and what is recorded needs its room where it ends up, not on the way there.
uint64_t RoomInFolder(const Ring::Options& options) {
  struct statvfs room;
  // No size: a tmpfs without a limit.
  if (statvfs(options.folder.c_str(), &room) != 0 || room.f_blocks == 0) return UINT64_MAX;
  const uint64_t available = room.f_bavail * room.f_frsize;
  if (!options.recorded_to.empty() && OnSameFilesystem(options.folder, options.recorded_to)) {
    return std::max(available / 20, std::min(available / 2, kSmallestRing));
  }
  return available - available / 32;
}

}  // namespace

std::string RingNamePrefix(const std::string& process) {
  return "autotrace-" + std::to_string(getuid()) + "-" + process + "-";
}

Ring::Layout::Layout(uint64_t size) {
  const bool small = size < uint64_t{4} << 20;
  metadata_capacity = RoundUp(std::min<uint64_t>(size / 64, 512 << 10), kPage);
  open_frames_capacity = RoundUp(std::min<uint64_t>(size / (small ? 128 : 32), 1 << 20), kPage);
  chunks_offset = kPage + metadata_capacity + 2 * open_frames_capacity;
  const uint64_t chunk_bytes = size - chunks_offset;
  chunk_size = kLargestChunk;
  while (chunk_size > kSmallestChunk && chunk_bytes / chunk_size < 64) chunk_size /= 2;
  chunk_count = static_cast<uint32_t>(chunk_bytes / chunk_size);
}

// How many chunks have memory from the start.
uint32_t Ring::Layout::FirstChunks(const Options& options) const {
  if (options.first_chunks >= options.size) return chunk_count;
  const uint64_t wanted = std::max<uint64_t>(options.first_chunks / chunk_size, 16);
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, chunk_count));
}

// Growing past RLIMIT_FSIZE would raise SIGXFSZ.
bool Ring::MapFile(const Options& options, uint64_t size) {
  if (options.folder.empty() || size < kSmallestRing || size > Limit(RLIMIT_FSIZE)) return false;
  path_ = options.folder + "/" +
          RingNamePrefix(std::to_string(getpid()) + "-" + HexDigits(options.process_key)) +
          HexDigits(RandomWord());
  const int file = MakePrivateFile(AT_FDCWD, path_, O_RDWR);
  if (file < 0) {
    path_.clear();
    return false;
  }
  void* memory = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(size)) == 0) {
    memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  base_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
  size_ = size;
  const bool reserved = base_ != nullptr && ReserveBeginning(options, file);
  close(file);
  if (reserved) {
    folder_.Adopt(open(options.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return true;
  }
  if (base_ != nullptr) munmap(base_, size);
  base_ = nullptr;
  unlink(path_.c_str());
  path_.clear();
  return false;
}

bool Ring::MapPrivate(const Options& options, uint64_t size) {
  // Shared, so that a fork does not make the child's reader see a copy of what is still ours.
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  base_ = static_cast<char*>(memory);
  size_ = size;
  if (ReserveBeginning(options, -1)) return true;
  munmap(base_, size);
  base_ = nullptr;
  return false;
}

// Sets memory aside up to the end of the first chunks. What lies before them is the reader's.
bool Ring::ReserveBeginning(const Options& options, int file) {
  const Layout layout(size_);
  chunk_limit_ = layout.chunk_count;
  // Before Linux 5.14 memory cannot be added without the danger of SIGBUS: all of it now.
  const bool can_grow = madvise(base_, kPage, MADV_POPULATE_WRITE) == 0;
  can_shrink_ = can_grow;
  const uint64_t chunks = can_grow ? layout.FirstChunks(options) : layout.chunk_count;
  const uint64_t end = layout.chunks_offset + chunks * layout.chunk_size;
  return file < 0 || fallocate(file, 0, 0, static_cast<off_t>(end)) == 0;
}

bool Ring::Create(const Options& options) {
  const uint64_t wanted = RoundUp(std::max(options.size, kSmallestRing), kPage);
  // A program that may use only so much address space needs it for itself.
  const uint64_t address_space = Limit(RLIMIT_AS) / 16;
  const uint64_t most = std::max(RoundDown(std::min(wanted, address_space), kPage), kSmallestRing);
  uint64_t in_folder = std::min({most, RoomInFolder(options), Limit(RLIMIT_FSIZE)});
  for (in_folder = RoundDown(in_folder, kPage); in_folder >= kSmallestRing;
       in_folder = RoundDown(in_folder / 2, kPage)) {
    if (MapFile(options, in_folder)) break;
  }
  for (uint64_t size = most; base_ == nullptr; size = RoundDown(size / 2, kPage)) {
    if (size < kSmallestRing) return false;
    if (MapPrivate(options, size)) break;
  }
  Format(options);
  return header_->chunk_count > 0;
}

void Ring::Format(const Options& options) {
  const Layout layout(size_);
  header_ = reinterpret_cast<format::RingHeader*>(base_);
  header_->version = format::kVersion;
  header_->header_size = sizeof(format::RingHeader);
  header_->process_key = options.process_key;
  header_->pid = static_cast<uint64_t>(getpid());
  header_->kernel_start_time = options.kernel_start_time;
  header_->metadata_offset = kPage;
  header_->metadata_capacity = layout.metadata_capacity;
  header_->open_frames_offset = kPage + layout.metadata_capacity;
  header_->open_frames_capacity = layout.open_frames_capacity;
  header_->chunks_offset = layout.chunks_offset;
  header_->chunk_size = layout.chunk_size;
  header_->chunk_count = 0;
  first_count_ = layout.FirstChunks(options);
  parked_.clear();
  is_parked_.clear();
  AddChunks(first_count_);
  // Last: a reader that finds the magic finds all of the above.
  memcpy(header_->magic, format::kRingMagic, sizeof(format::kRingMagic));
}

bool Ring::AddChunks(uint32_t count) {
  const uint32_t present = chunk_count();
  if (count == 0) return false;
  char* begin = reinterpret_cast<char*>(chunk(present));
  const size_t bytes = size_t{count} * header_->chunk_size;
  // Fails where tmpfs has no room, instead of raising SIGBUS.
  if (madvise(begin, bytes, MADV_POPULATE_WRITE) != 0) {
    if (errno != EINVAL) return false;
    // An older kernel: the memory is reserved, see ReserveBeginning.
    for (size_t at = 0; at < bytes; at += kPage) {
      *reinterpret_cast<volatile char*>(begin + at) = 0;
    }
  }
  header_->chunk_count.store(present + count, std::memory_order_release);
  // The first one on top, so that a quiet program keeps using the same few pages.
  for (uint32_t i = present + count; i > present; --i) Free(chunk(i - 1));
  return true;
}

bool Ring::Unpark(uint32_t count) {
  for (; count > 0 && !parked_.empty(); --count) {
    Chunk* unparked = chunk(parked_.back());
    if (madvise(unparked, header_->chunk_size, MADV_POPULATE_WRITE) != 0) return false;
    is_parked_[parked_.back()] = false;
    parked_.pop_back();
    Free(unparked);
  }
  return true;
}

void Ring::Shrink() {
  // Few at a time: a burst may begin at any moment.
  constexpr uint32_t kAtOnce = 64;
  for (uint32_t i = 0; can_shrink_ && i < kAtOnce && chunks_with_memory() > first_count_; ++i) {
    Chunk* free = PopFree();
    if (free == nullptr) return;
    if (madvise(free, header_->chunk_size, MADV_REMOVE) != 0) {
      can_shrink_ = false;
      return Free(free);
    }
    const uint32_t index = IndexOf(free);
    parked_.push_back(index);
    is_parked_.resize(std::max<size_t>(is_parked_.size(), index + 1));
    is_parked_[index] = true;
  }
}

bool Ring::Grow() {
  const uint32_t step = static_cast<uint32_t>(kGrowStep / header_->chunk_size);
  if (!parked_.empty()) return Unpark(step);
  if (chunk_count() < chunk_limit_ && !AddChunks(std::min(step, chunk_limit_ - chunk_count()))) {
    // What is left of the room, if anything.
    chunk_limit_ = chunk_count() + (AddChunks(1) ? 1 : 0);
  }
  return chunk_count() < chunk_limit_;
}

Ring::Chunk* Ring::PopFree() {
  uint64_t head = header_->free_list.load(std::memory_order_acquire);
  for (;;) {
    const auto index = static_cast<uint32_t>(head);
    if (index == 0) return nullptr;
    Chunk* popped = chunk(index - 1);
    // The tag in the high half makes a head that was taken and put back in between a different one.
    const uint64_t next = popped->header.next_free.load(std::memory_order_relaxed);
    if (header_->free_list.compare_exchange_weak(head, (((head >> 32) + 1) << 32) | next,
                                                 std::memory_order_acq_rel)) {
      return popped;
    }
  }
}

uint32_t Ring::IndexOf(const Chunk* chunk) const {
  const ptrdiff_t offset = reinterpret_cast<const char*>(chunk) - base_;
  return static_cast<uint32_t>((offset - static_cast<ptrdiff_t>(header_->chunks_offset)) /
                               header_->chunk_size);
}

Ring::Chunk* Ring::Claim(uint32_t thread_index, uint64_t tid, uint32_t chunk_sequence,
                         uint64_t ticks) {
  Chunk* claimed = PopFree();
  if (claimed == nullptr) return nullptr;
  claimed->header.thread_index = thread_index;
  claimed->header.chunk_sequence = chunk_sequence;
  claimed->header.claim_ticks = ticks;
  claimed->header.tid = tid;
  claimed->header.read_offset.store(0, std::memory_order_relaxed);
  claimed->header.module_records.store(0, std::memory_order_relaxed);
  claimed->data[0] = 0;
  claimed->header.state.store(format::ChunkState::kOwned, std::memory_order_release);
  return claimed;
}

void Ring::Free(Chunk* freed) {
  freed->header.state.store(format::ChunkState::kFree, std::memory_order_release);
  const uint32_t index = IndexOf(freed);
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
  uint32_t claims = header_->reader_waiting.load(std::memory_order_relaxed);
  // Never below zero, which the reader may have stored meanwhile.
  while (claims != 0 && !header_->reader_waiting.compare_exchange_weak(claims, claims - 1,
                                                                       std::memory_order_acq_rel)) {
  }
  if (claims == 1) FutexWake(&header_->reader_waiting);
}

void Ring::WakeReaderNow() {
  if (header_->reader_waiting.exchange(0, std::memory_order_seq_cst) != 0) {
    FutexWake(&header_->reader_waiting);
  }
}

void Ring::SleepAsReader(uint64_t nanos, uint32_t claims) {
  FutexWait(&header_->reader_waiting, claims, nanos);
}

void Ring::Unlink() {
  if (path_.empty()) return;
  if (!folder_.IsOpen()) {
    unlink(path_.c_str());
  } else {
    unlinkat(folder_.number(), path_.c_str() + path_.rfind('/') + 1, 0);
  }
}

void Ring::Abandon() {
  if (base_ != nullptr) munmap(base_, size_);
  base_ = nullptr;
  header_ = nullptr;
  path_.clear();
  folder_.Close();
  metadata_busy_.store(false, std::memory_order_relaxed);
}

}  // namespace autotrace
