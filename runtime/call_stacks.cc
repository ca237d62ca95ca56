#include "runtime/call_stacks.h"

#include <new>

#include "runtime/memory.h"

namespace autotrace {

CallStack* CallStacks::Find(uint64_t address) const {
  for (Block* block = first_.load(std::memory_order_acquire); block != nullptr;
       block = block->next) {
    for (CallStack& stack : block->stacks) {
      if (stack.Contains(address)) return &stack;
    }
  }
  return nullptr;
}

// Its upper bound is 0 until it is complete, so that nothing is found in it.
bool CallStacks::Claim(CallStack* stack, uint64_t low, uint64_t high) {
  uint64_t expected = 0;
  if (!stack->low.compare_exchange_strong(expected, low, std::memory_order_acq_rel)) return false;
  stack->high.store(high, std::memory_order_release);
  return true;
}

CallStack* CallStacks::Add(uint64_t low, uint64_t high, std::atomic<uint32_t>* next_index) {
  CallStack* known = nullptr;
  CallStack* free = nullptr;
  for (Block* block = first_.load(std::memory_order_acquire); block != nullptr;
       block = block->next) {
    for (CallStack& stack : block->stacks) {
      const uint64_t begin = stack.low.load(std::memory_order_acquire);
      if (begin == low) known = &stack;
      if (begin == 0 && free == nullptr) free = &stack;
    }
  }
  if (known != nullptr) {
    known->high.store(high, std::memory_order_relaxed);
    return known;
  }
  if (free == nullptr || !Claim(free, low, high)) {
    void* memory = MapMemory(sizeof(Block));
    if (memory == nullptr) return nullptr;
    auto* block = new (memory) Block;
    free = &block->stacks[0];
    Claim(free, low, high);
    Block* head = first_.load(std::memory_order_relaxed);
    do {
      block->next = head;
    } while (!first_.compare_exchange_weak(head, block, std::memory_order_acq_rel));
  }
  if (free->index == 0) free->index = next_index->fetch_add(1, std::memory_order_relaxed);
  return free;
}

}  // namespace autotrace
