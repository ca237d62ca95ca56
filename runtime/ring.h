// The ring: a fixed set of chunks in tmpfs that traced threads fill and a reader empties.
//
// The file outlives a killed process, so recording, live export and crash recovery read the same
// thing. It is reserved in full before use (a sparse mapping would kill the program by SIGBUS when
// tmpfs is full) and made under a name that cannot be guessed. Where no file can be had the ring is
// private memory, and a kill loses what was not yet drained. docs/trace-format.md has the protocol.
#ifndef AUTOTRACE_RUNTIME_RING_H_
#define AUTOTRACE_RUNTIME_RING_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>

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
    uint64_t size = uint64_t{32} << 20;  // bytes, all areas together; halved until it fits
    uint64_t process_key = 0;
    uint64_t kernel_start_time = 0;
    std::string folder = kRingFolder;
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

  // Adds a whole block (header, payload, padding) to the metadata area. False when it is full or
  // another thread is adding right now; try again later. Lock-free, async-signal-safe.
  bool AppendMetadata(std::string_view block);

  // Publishes a set of kOpenFrames blocks; cut blocks are never published: false when they do not
  // fit. One thread at a time.
  bool PublishOpenFrames(std::string_view blocks);

  // Adds to one of the shared counters. Lock-free, async-signal-safe.
  void Count(format::Counter counter, uint64_t amount = 1) {
    header_->counters[static_cast<int>(counter)].fetch_add(amount, std::memory_order_relaxed);
  }

  // Wakes the reader when it sleeps long. A system call only then.
  void WakeReader();
  // Reader: sleeps until WakeReader or the time is over.
  void WaitForWork(uint64_t nanos);

  // Removes the file; the mapping stays, since threads may still write to it.
  void Unlink();
  // In a forked child: forgets the mapping that belongs to the parent.
  void Abandon();

  format::RingHeader* header() { return header_; }
  uint32_t chunk_count() const { return header_->chunk_count; }
  size_t chunk_data_bytes() const { return header_->chunk_size - sizeof(format::ChunkHeader); }
  Chunk* chunk(uint32_t index) {
    return reinterpret_cast<Chunk*>(base_ + header_->chunks_offset +
                                    size_t{index} * header_->chunk_size);
  }
  const std::string& path() const { return path_; }  // empty: private memory
  uint64_t size() const { return size_; }

 private:
  bool MapFile(const Options& options, uint64_t size);
  void Format(const Options& options);

  char* base_ = nullptr;
  format::RingHeader* header_ = nullptr;
  uint64_t size_ = 0;
  std::string path_;
  std::atomic<bool> metadata_busy_{false};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_RING_H_
