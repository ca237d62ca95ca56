#include "runtime/ring.h"

#include <string.h>

#include "runtime/futex.h"

namespace autotrace {

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

Ring::Chunk* Ring::TakeUntouched() {
  uint32_t first = chunk_count();
  do {
    if (first >= reserved_count_.load(std::memory_order_acquire)) return nullptr;
  } while (!header_->chunk_count.compare_exchange_weak(first, first + 1, std::memory_order_acq_rel,
                                                       std::memory_order_acquire));
  return chunk(first);
}

uint32_t Ring::IndexOf(const Chunk* chunk) const {
  const ptrdiff_t offset = reinterpret_cast<const char*>(chunk) - base_;
  return static_cast<uint32_t>((offset - static_cast<ptrdiff_t>(header_->chunks_offset)) /
                               header_->chunk_size);
}

Ring::Chunk* Ring::Claim(uint32_t thread_index, uint64_t tid, uint32_t chunk_sequence,
                         uint64_t ticks) {
  Chunk* claimed = PopFree();
  if (claimed == nullptr) claimed = TakeUntouched();
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
  const uint64_t area = header_->open_frames_current.load(std::memory_order_relaxed) == 1 ? 1 : 0;
  const uint64_t size = blocks.size();
  if (!GiveOpenFramesMemory(area, sizeof(size) + size)) return false;
  char* target = OpenFramesArea(area);
  memcpy(target, &size, sizeof(size));
  memcpy(target + sizeof(size), blocks.data(), blocks.size());
  header_->open_frames_current.store(area + 1, std::memory_order_release);
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

}  // namespace autotrace
