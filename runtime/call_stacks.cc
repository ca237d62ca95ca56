#include "runtime/call_stacks.h"

#include <algorithm>
#include <limits>
#include <new>

#include "runtime/memory.h"

namespace autotrace {

CallStacks::Remembered* CallStacks::PlaceOf(uint64_t address) {
  Remembered* remembered = remembered_.load(std::memory_order_acquire);
  return remembered != nullptr ? &remembered[(address >> 12) % kRemembered] : nullptr;
}

CallStack* CallStacks::Find(uint64_t address) {
  if (first_.load(std::memory_order_acquire) == nullptr) return nullptr;
  Remembered* place = PlaceOf(address);
  if (place != nullptr) {
    CallStack* stack = place->load(std::memory_order_acquire);
    if (stack != nullptr && stack->exists() && stack->range().Contains(address)) return stack;
  }
  CallStack* found = nullptr;
  ForEach([&](CallStack* stack) {
    if (stack->range().Contains(address)) found = stack;
  });
  if (found != nullptr && place != nullptr) place->store(found, std::memory_order_release);
  return found;
}

CallStack* CallStacks::FindAbove(uint64_t address, uint64_t reach) const {
  CallStack* nearest = nullptr;
  ForEach([&](CallStack* stack) {
    const uint64_t low = stack->low.load(std::memory_order_acquire);
    if (low <= address) return;
    if (nearest == nullptr || low < nearest->low.load(std::memory_order_acquire)) nearest = stack;
  });
  if (nearest == nullptr || nearest->state.load(std::memory_order_acquire) != CallStack::kOpen) {
    return nullptr;
  }
  const uint64_t top = nearest->top_address.load(std::memory_order_acquire);
  return top > address && top - address <= reach ? nearest : nullptr;
}

StackRange CallStacks::FreeAround(uint64_t address, const CallStack* except) const {
  StackRange free = {0, std::numeric_limits<uint64_t>::max()};
  ForEach([&](CallStack* stack) {
    if (stack == except) return;
    const StackRange range = stack->range();
    if (range.low > address) free.high = std::min(free.high, range.low);
    if (range.high <= address) free.low = std::max(free.low, range.high);
  });
  return free;
}

CallStack* CallStacks::Announce(StackRange range, bool inside, std::atomic<uint32_t>* next_index) {
  if (inside) any_inside_others_.store(true, std::memory_order_relaxed);
  CallStack* stack = nullptr;
  ForEach([&](CallStack* other) {
    const uint64_t low = other->low.load(std::memory_order_acquire);
    // Or one that was noticed before it was announced: its calls stay.
    if (other->is_announced() ? low == range.low : range.Contains(low)) stack = other;
  });
  if (stack == nullptr) stack = TakePlace(CallStack::kAnnounced, next_index);
  if (stack == nullptr) return nullptr;
  stack->set_range(range);
  stack->state.fetch_or(CallStack::kAnnounced, std::memory_order_acq_rel);
  return stack;
}

CallStack* CallStacks::Note(StackRange range, std::atomic<uint32_t>* next_index) {
  CallStack* stack = TakePlace(CallStack::kPutting, next_index);
  if (stack != nullptr) stack->set_range(range);
  return stack;
}

// A free place, which has this state from here on. Null without memory.
CallStack* CallStacks::TakePlace(uintptr_t state, std::atomic<uint32_t>* next_index) {
  CallStack* taken = nullptr;
  for (Block* block = first_.load(std::memory_order_acquire); block != nullptr && taken == nullptr;
       block = block->next) {
    for (CallStack& stack : block->stacks) {
      uintptr_t free = 0;
      if (stack.exists() || !stack.state.compare_exchange_strong(free, state)) continue;
      taken = &stack;
      break;
    }
  }
  if (taken == nullptr) {
    void* memory = MapMemory(sizeof(Block));
    if (memory == nullptr) return nullptr;
    auto* block = new (memory) Block;
    taken = &block->stacks[0];
    taken->state.store(state, std::memory_order_relaxed);
    Block* head = first_.load(std::memory_order_relaxed);
    do {
      block->next = head;
    } while (!first_.compare_exchange_weak(head, block, std::memory_order_acq_rel));
    RememberFromHere();
  }
  if (taken->index == 0) taken->index = next_index->fetch_add(1, std::memory_order_relaxed);
  taken->calls[taken->place] = {};
  return taken;
}

void CallStacks::RememberFromHere() {
  if (remembered_.load(std::memory_order_acquire) != nullptr) return;
  constexpr size_t kBytes = kRemembered * sizeof(Remembered);
  void* memory = MapMemory(kBytes);  // zeroed: null pointers
  Remembered* none = nullptr;
  if (memory != nullptr &&
      !remembered_.compare_exchange_strong(none, static_cast<Remembered*>(memory))) {
    UnmapMemory(memory, kBytes);
  }
}

}  // namespace autotrace
