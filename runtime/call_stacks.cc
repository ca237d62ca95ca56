#include "runtime/call_stacks.h"

#include <algorithm>
#include <limits>
#include <new>

#include "runtime/memory.h"

namespace autotrace {

size_t CallStack::TakePlace() {
  for (size_t index = 0;; index = (index + 1) % kPlaces) {
    std::atomic<bool>& in_use = places[index].in_use;
    if (!in_use.load(std::memory_order_relaxed) &&
        !in_use.exchange(true, std::memory_order_acquire)) {
      return index;
    }
  }
}

bool CallStack::Has(uint64_t address) const {
  const uint64_t before = state.load(std::memory_order_acquire);
  if (!Exists(before) || !range().Contains(address)) return false;
  // Who has seen a bound that was changed sees here why.
  const uint64_t after = state.load(std::memory_order_acquire);
  return Exists(after) && ((before ^ after) & kGenerations) == 0;
}

void CallStack::Forget() {
  constexpr uint64_t kGeneration = kGenerations & -kGenerations;
  const uint64_t generation = state.load(std::memory_order_relaxed) & kGenerations;
  state.store(generation | kForgotten, std::memory_order_release);
  set_range({});
  state.store(generation + kGeneration, std::memory_order_release);
}

CallStacks::Remembered* CallStacks::PlaceOf(uint64_t address) {
  Remembered* remembered = remembered_.load(std::memory_order_acquire);
  return remembered != nullptr ? &remembered[(address >> 12) % kRemembered] : nullptr;
}

CallStack* CallStacks::Find(uint64_t address) {
  if (first_.load(std::memory_order_acquire) == nullptr) return nullptr;
  Remembered* place = PlaceOf(address);
  if (place != nullptr) {
    CallStack* stack = place->load(std::memory_order_acquire);
    if (stack != nullptr && stack->Has(address)) return stack;
  }
  CallStack* found = nullptr;
  ForEach([&](CallStack* stack) {
    if (stack->Has(address)) found = stack;
  });
  if (found != nullptr && place != nullptr) place->store(found, std::memory_order_release);
  return found;
}

CallStack* CallStacks::FindAbove(uint64_t address, uint64_t reach, uint64_t* top_address) const {
  CallStack* nearest = nullptr;
  ForEach([&](CallStack* stack) {
    const uint64_t low = stack->low.load(std::memory_order_acquire);
    if (low <= address) return;
    if (nearest == nullptr || low < nearest->low.load(std::memory_order_acquire)) nearest = stack;
  });
  if (nearest == nullptr) return nullptr;
  const uint64_t state = nearest->state.load(std::memory_order_acquire);
  const CallStack::Place* place = nearest->PlaceIn(state);
  if (place == nullptr || (state & CallStack::kAnnounced) != 0) return nullptr;
  *top_address = place->top_address.load(std::memory_order_acquire);
  return *top_address > address && *top_address - address <= reach ? nearest : nullptr;
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
  if (stack == nullptr) stack = Add(CallStack::kAnnounced, next_index);
  if (stack == nullptr) return nullptr;
  stack->set_range(range);
  stack->state.fetch_or(CallStack::kAnnounced, std::memory_order_acq_rel);
  return stack;
}

CallStack* CallStacks::Note(StackRange range, std::atomic<uint32_t>* next_index) {
  CallStack* stack = Add(CallStack::kNoted, next_index);
  if (stack != nullptr) stack->set_range(range);
  return stack;
}

// One that did not exist, which has this state from here on. Null without memory.
CallStack* CallStacks::Add(uint64_t state, std::atomic<uint32_t>* next_index) {
  CallStack* taken = nullptr;
  for (Block* block = first_.load(std::memory_order_acquire); block != nullptr && taken == nullptr;
       block = block->next) {
    for (CallStack& stack : block->stacks) {
      uint64_t free = stack.state.load(std::memory_order_relaxed);
      if (!CallStack::IsFree(free) || !stack.state.compare_exchange_strong(free, free | state)) {
        continue;
      }
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
