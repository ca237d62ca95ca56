// The ring: a fixed set of chunks in tmpfs that traced threads fill and a reader empties.
//
// The file outlives a killed process, so recording, live export and crash recovery read the same
// thing. It is made under a name that cannot be guessed and is as large as its tmpfs allows. Chunks
// are given out only once they have memory: a page that tmpfs has no room for would kill the
// program by SIGBUS, and a fresh one costs a traced thread a page fault. A ring starts with a few
// chunks, because memory costs time at start and exit, and the reader adds more when they fill up.
// For most of the first ones memory is reserved and no more: a short program needs few of them, and
// for others the reader maps it ahead of their use.
// Where no file can be had the ring is private memory, and a kill loses what was not yet drained.
// docs/trace-format.md has the protocol.
#ifndef AUTOTRACE_RUNTIME_RING_H_
#define AUTOTRACE_RUNTIME_RING_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/own_descriptor.h"
#include "runtime/trace_format.h"

namespace autotrace {

// Where rings live.
inline constexpr char kRingFolder[] = "/dev/shm";

// How the names of a process's rings begin; `process` is "<pid>-<key>", as in its segments' names.
// A random part follows.
std::string RingNamePrefix(const std::string& process);

class Ring {
 public:
  struct Options {
    uint64_t size = uint64_t{32} << 20;  // bytes, all areas together; less where there is less room
    // Of these, for chunks that have memory from the start. The whole: nobody will call Grow.
    uint64_t first_chunks = uint64_t{8} << 20;
    // And of these, for chunks whose memory is mapped from the start.
    uint64_t mapped_chunks = uint64_t{1} << 20;
    uint64_t process_key = 0;
    uint64_t kernel_start_time = 0;
    std::string folder = kRingFolder;
    // The run's folder. Where it shares its filesystem with the ring, it gets most of the room.
    std::string recorded_to;
  };

  // One chunk, header and data.
  struct Chunk {
    format::ChunkHeader header;
    uint64_t data[1];
  };

  // Makes and maps it. False when there is not even private memory. Not thread-safe.
  bool Create(const Options& options);

  // A free chunk for this thread, its data empty; null when all are in use. Lock-free,
  // async-signal-safe. `ticks` is the present moment.
  Chunk* Claim(uint32_t thread_index, uint64_t tid, uint32_t chunk_sequence, uint64_t ticks);
  // The thread is done with it; the reader frees it later. Lock-free, async-signal-safe.
  static void Release(Chunk* chunk) {
    chunk->header.state.store(format::ChunkState::kFull, std::memory_order_release);
  }
  // Reader: puts a drained chunk back.
  void Free(Chunk* freed);
  // Reader, once it is worth it: maps the memory of some more of the first chunks. False when that
  // of all is mapped.
  bool MapAhead();
  // Reader, once it is worth it: reserves some more of what open frames may need, so that none are
  // missing after a kill because others have filled the tmpfs meanwhile. False when it has all.
  bool ReserveOpenFrames();
  // Reader: gives memory to some more chunks, while the tmpfs
  // has room. Returns false when the ring is as large as it gets.
  bool Grow();
  // Reader, after the ring was hardly in use for a while: takes memory from some free chunks, down
  // to as many as there were at the beginning. Grow gives it back.
  void Shrink();
  // Reader: these chunks have no memory, and nobody uses them.
  bool is_parked(uint32_t index) const { return index < is_parked_.size() && is_parked_[index]; }
  uint32_t chunks_with_memory() const {
    return reserved_count_.load(std::memory_order_relaxed) - static_cast<uint32_t>(parked_.size());
  }
  bool HasFreeChunk() const {
    return static_cast<uint32_t>(header_->free_list.load(std::memory_order_relaxed)) != 0 ||
           chunk_count() < reserved_count_.load(std::memory_order_relaxed);
  }

  // Adds a whole block (header, payload, padding) to the metadata area. False when it is full or
  // another thread is adding right now; try again later. Lock-free, async-signal-safe.
  bool AppendMetadata(std::string_view block);

  bool HasMetadataRoom(size_t bytes) const {
    return header_->metadata_size.load(std::memory_order_relaxed) + bytes <=
           header_->metadata_capacity;
  }

  // Publishes a set of kOpenFrames blocks; cut blocks are never published: false when they do not
  // fit, or there is no memory for them. Reader.
  bool PublishOpenFrames(std::string_view blocks);

  // Adds to one of the shared counters. Lock-free, async-signal-safe.
  void Count(format::Counter counter, uint64_t amount = 1) {
    header_->counters[static_cast<int>(counter)].fetch_add(amount, std::memory_order_relaxed);
  }

  // A chunk was claimed: wakes the reader when it waits for this one. A system call only then.
  // Lock-free, async-signal-safe.
  void WakeReader();
  // Wakes the reader however it waits. To be called after what its `is_wanted` looks at was stored,
  // sequentially consistently.
  void WakeReaderNow();
  // Reader: sleeps until so many more chunks were claimed, WakeReaderNow, or the time is over; not
  // at all when `is_wanted` returns true, which is asked when a wake-up can no longer be missed.
  // True: it was woken.
  template <typename Predicate>
  bool WaitForWork(uint64_t nanos, uint32_t claims, Predicate is_wanted) {
    header_->reader_waiting.store(claims, std::memory_order_seq_cst);
    if (!is_wanted()) SleepAsReader(nanos, claims);
    return header_->reader_waiting.exchange(0, std::memory_order_acq_rel) == 0;
  }

  // Removes the file; the mapping stays, since threads may still write to it.
  void Unlink();
  // In a forked child: forgets the mapping that belongs to the parent.
  void Abandon();

  format::RingHeader* header() { return header_; }
  // Chunks that are in use, or were, or have their memory mapped. Behind them there may be some
  // that nobody has touched.
  uint32_t chunk_count() const { return header_->chunk_count.load(std::memory_order_acquire); }
  size_t chunk_data_bytes() const { return header_->chunk_size - sizeof(format::ChunkHeader); }
  Chunk* chunk(uint32_t index) {
    return reinterpret_cast<Chunk*>(base_ + header_->chunks_offset +
                                    size_t{index} * header_->chunk_size);
  }
  const std::string& path() const { return path_; }  // empty: private memory
  uint64_t size() const { return size_; }            // with the chunks that have no memory yet

 private:
  // Where the areas of a ring of this size lie.
  struct Layout {
    explicit Layout(uint64_t size);
    // How many of a ring's chunks these bytes are.
    uint32_t Chunks(uint64_t bytes, const Options& options) const;
    uint64_t metadata_capacity;
    uint64_t open_frames_offset;
    uint64_t open_frames_capacity;
    uint64_t chunks_offset;
    uint32_t chunk_size;
    uint32_t chunk_count;
  };

  bool MapFile(const Options& options, uint64_t size);
  bool MapPrivate(const Options& options, uint64_t size);
  bool ReserveBeginning(const Options& options, int file);
  void Format(const Options& options);
  // False without memory.
  bool GiveMemory(char* begin, size_t bytes);
  // Of an area for open frames: to its first bytes.
  bool GiveOpenFramesMemory(uint64_t area, uint64_t bytes);
  // Gives memory to so many more chunks, and them to whoever claims. False without memory.
  bool AddChunks(uint32_t count);
  // Puts the untouched chunks before this one on the free list.
  void FreeUntouched(uint32_t end);
  // Gives parked chunks their memory back. False without memory.
  bool Unpark(uint32_t count);
  Chunk* PopFree();
  Chunk* TakeUntouched();
  char* OpenFramesArea(uint64_t area) {
    return base_ + header_->open_frames_offset + area * header_->open_frames_capacity;
  }
  uint32_t IndexOf(const Chunk* chunk) const;
  void SleepAsReader(uint64_t nanos, uint32_t claims);

  char* base_ = nullptr;
  format::RingHeader* header_ = nullptr;
  uint64_t size_ = 0;
  uint32_t chunk_limit_ = 0;                 // so many may have memory in the end
  uint32_t first_count_ = 0;                 // so many had memory at the beginning
  std::atomic<uint32_t> reserved_count_{0};  // so many have it now, those that are parked included
  uint64_t open_frames_memory_[2] = {};      // so many bytes of these areas have it
  bool can_grow_ = false;
  bool can_shrink_ = false;
  std::vector<uint32_t> parked_;  // reader
  std::vector<bool> is_parked_;
  std::string path_;
  OwnDescriptor folder_;  // so that the file can be removed after chroot(2)
  std::atomic<bool> metadata_busy_{false};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_RING_H_
