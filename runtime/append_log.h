// A log that any thread appends to and one thread reads: without a lock, and without memory that
// moves. Entries stay. Async-signal-safe.
#ifndef AUTOTRACE_RUNTIME_APPEND_LOG_H_
#define AUTOTRACE_RUNTIME_APPEND_LOG_H_

#include <stddef.h>

#include <algorithm>
#include <atomic>

#include "runtime/memory.h"

namespace autotrace {

// Entry: trivially copyable; its zero value stands for one that was given up.
template <typename Entry>
class AppendLog {
 public:
  // False without memory, or when there are a million already.
  bool Add(const Entry& entry) {
    size_t index = count_.load(std::memory_order_relaxed);
    Block* block = nullptr;
    // The place is taken only once it has memory: without, the reader would find none there.
    do {
      if (index / kBlockEntries >= kBlocks) return false;
      block = BlockOf(index);
      if (block == nullptr) return false;
    } while (!count_.compare_exchange_weak(index, index + 1, std::memory_order_relaxed));
    block->entries[index % kBlockEntries] = entry;
    block->ready[index % kBlockEntries].store(true, std::memory_order_release);
    return true;
  }

  size_t count() const {
    return std::min(count_.load(std::memory_order_acquire), kBlocks * kBlockEntries);
  }
  // Null while its thread has not finished it. index < count().
  const Entry* at(size_t index) const {
    const Block* block = blocks_[index / kBlockEntries].load(std::memory_order_acquire);
    if (!block->ready[index % kBlockEntries].load(std::memory_order_acquire)) return nullptr;
    return &block->entries[index % kBlockEntries];
  }

  // In a forked child: gives up what other threads were about to add.
  void AfterFork() {
    for (size_t index = 0; index < count(); ++index) {
      Block* block = blocks_[index / kBlockEntries].load(std::memory_order_relaxed);
      std::atomic<bool>& ready = block->ready[index % kBlockEntries];
      if (ready.load(std::memory_order_relaxed)) continue;
      block->entries[index % kBlockEntries] = {};
      ready.store(true, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr size_t kBlockEntries = 1024;
  static constexpr size_t kBlocks = 1024;
  struct Block {
    std::atomic<bool> ready[kBlockEntries];
    Entry entries[kBlockEntries];
  };

  // The block that holds this entry, mapped when it is missing; null without memory.
  Block* BlockOf(size_t index) {
    std::atomic<Block*>& slot = blocks_[index / kBlockEntries];
    Block* block = slot.load(std::memory_order_acquire);
    if (block != nullptr) return block;
    auto* mapped = static_cast<Block*>(MapMemory(sizeof(Block)));
    if (mapped == nullptr) return nullptr;
    if (slot.compare_exchange_strong(block, mapped, std::memory_order_acq_rel)) return mapped;
    UnmapMemory(mapped, sizeof(Block));
    return block;
  }

  std::atomic<size_t> count_{0};
  std::atomic<Block*> blocks_[kBlocks] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_APPEND_LOG_H_
