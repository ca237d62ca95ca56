// Where a ring's memory comes from: its file or private memory, what is reserved and mapped of it
// and when, and what is given back.

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/private_files.h"
#include "runtime/process_facts.h"
#include "runtime/ring.h"

namespace autotrace {
namespace {

constexpr uint64_t kSmallestRing = uint64_t{48} << 10;
// A thread holds one, so they are small enough for a thousand threads to have theirs.
constexpr uint32_t kLargestChunk = 16 << 10;
constexpr uint32_t kSmallestChunk = 4 << 10;
constexpr uint64_t kGrowStep = uint64_t{2} << 20;
// Of what is done ahead of its use, in some 0.1 ms: the program may be about to end.
constexpr uint64_t kStepAhead = 256 << 10;
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
  open_frames_offset = kPage + metadata_capacity;
  chunks_offset = open_frames_offset + 2 * open_frames_capacity;
  const uint64_t chunk_bytes = size - chunks_offset;
  chunk_size = kLargestChunk;
  while (chunk_size > kSmallestChunk && chunk_bytes / chunk_size < 64) chunk_size /= 2;
  chunk_count = static_cast<uint32_t>(chunk_bytes / chunk_size);
}

uint32_t Ring::Layout::Chunks(uint64_t bytes, const Options& options) const {
  if (bytes >= options.size) return chunk_count;
  const uint64_t wanted = std::max<uint64_t>(bytes / chunk_size, 16);
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

// Sets memory aside for the first chunks and for what lies before them, which is the reader's. The
// areas for open frames of a ring that grows get theirs as they need it.
bool Ring::ReserveBeginning(const Options& options, int file) {
  const Layout layout(size_);
  chunk_limit_ = layout.chunk_count;
  // Before Linux 5.14 memory cannot be added without the danger of SIGBUS: all of it now.
  can_grow_ = madvise(base_, kPage, MADV_POPULATE_WRITE) == 0;
  can_shrink_ = can_grow_;
  first_count_ = layout.Chunks(options.first_chunks, options);
  open_frames_memory_[0] = open_frames_memory_[1] = layout.open_frames_capacity;
  if (file < 0) return true;
  if (!can_grow_ || first_count_ == layout.chunk_count) {
    return fallocate(file, 0, 0, static_cast<off_t>(size_)) == 0;
  }
  open_frames_memory_[0] = open_frames_memory_[1] = 0;
  return fallocate(file, 0, 0, static_cast<off_t>(layout.open_frames_offset)) == 0 &&
         fallocate(file, 0, static_cast<off_t>(layout.chunks_offset),
                   static_cast<off_t>(uint64_t{first_count_} * layout.chunk_size)) == 0;
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
  header_->open_frames_offset = layout.open_frames_offset;
  header_->open_frames_capacity = layout.open_frames_capacity;
  header_->chunks_offset = layout.chunks_offset;
  header_->chunk_size = layout.chunk_size;
  header_->chunk_count = 0;
  // Without a file nothing is reserved.
  const bool map_later = can_grow_ && !path_.empty() && first_count_ < layout.chunk_count;
  const uint32_t mapped = map_later ? layout.Chunks(options.mapped_chunks, options) : first_count_;
  parked_.clear();
  is_parked_.clear();
  reserved_count_.store(0, std::memory_order_relaxed);
  if (AddChunks(std::min(mapped, first_count_))) {
    reserved_count_.store(first_count_, std::memory_order_release);
  }
  // Last: a reader that finds the magic finds all of the above.
  memcpy(header_->magic, format::kRingMagic, sizeof(format::kRingMagic));
}

bool Ring::GiveMemory(char* begin, size_t bytes) {
  // Fails where tmpfs has no room, instead of raising SIGBUS.
  if (can_grow_) return madvise(begin, bytes, MADV_POPULATE_WRITE) == 0;
  // An older kernel: it is reserved, see ReserveBeginning.
  for (size_t at = 0; at < bytes; at += kPage) {
    *reinterpret_cast<volatile char*>(begin + at) = 0;
  }
  return true;
}

bool Ring::GiveOpenFramesMemory(uint64_t area, uint64_t bytes) {
  uint64_t& present = open_frames_memory_[area];
  const uint64_t wanted = std::min(RoundUp(bytes, kPage), header_->open_frames_capacity);
  if (wanted <= present) return true;
  if (!GiveMemory(OpenFramesArea(area) + present, wanted - present)) return false;
  present = wanted;
  return true;
}

bool Ring::AddChunks(uint32_t count) {
  const uint32_t present = reserved_count_.load(std::memory_order_relaxed);
  if (count == 0) return false;
  if (!GiveMemory(reinterpret_cast<char*>(chunk(present)), size_t{count} * header_->chunk_size)) {
    return false;
  }
  // Behind others that nobody has touched they wait for their turn.
  const bool wait = chunk_count() < present;
  reserved_count_.store(present + count, std::memory_order_release);
  if (!wait) FreeUntouched(present + count);
  return true;
}

void Ring::FreeUntouched(uint32_t end) {
  uint32_t begin = chunk_count();
  while (begin < end &&
         !header_->chunk_count.compare_exchange_weak(begin, end, std::memory_order_acq_rel)) {
  }
  // The first one on top, so that a quiet program keeps using the same few pages.
  for (uint32_t i = end; i > begin; --i) Free(chunk(i - 1));
}

bool Ring::MapAhead() {
  const uint32_t untouched = chunk_count();
  const uint32_t reserved = reserved_count_.load(std::memory_order_relaxed);
  if (untouched >= reserved) return false;
  const auto step = static_cast<uint32_t>(kStepAhead / header_->chunk_size);
  const uint32_t end = std::min(untouched + step, reserved);
  char* begin = reinterpret_cast<char*>(chunk(untouched));
  if (!GiveMemory(begin, size_t{end - untouched} * header_->chunk_size)) return false;
  FreeUntouched(end);
  return true;
}

bool Ring::ReserveOpenFrames() {
  for (uint64_t area = 0; area < 2; ++area) {
    const uint64_t present = open_frames_memory_[area];
    if (present == header_->open_frames_capacity) continue;
    if (!GiveOpenFramesMemory(area, present + kStepAhead)) return false;
    // The file keeps it. Most of it will never be written to.
    madvise(OpenFramesArea(area) + present, open_frames_memory_[area] - present, MADV_DONTNEED);
    return true;
  }
  return false;
}

bool Ring::Unpark(uint32_t count) {
  for (; count > 0 && !parked_.empty(); --count) {
    Chunk* unparked = chunk(parked_.back());
    if (!GiveMemory(reinterpret_cast<char*>(unparked), header_->chunk_size)) return false;
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
  const uint32_t present = reserved_count_.load(std::memory_order_relaxed);
  if (present < chunk_limit_ && !AddChunks(std::min(step, chunk_limit_ - present))) {
    // What is left of the room, if anything.
    chunk_limit_ = present + (AddChunks(1) ? 1 : 0);
  }
  return reserved_count_.load(std::memory_order_relaxed) < chunk_limit_;
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
