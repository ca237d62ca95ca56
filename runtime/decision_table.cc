#include "runtime/decision_table.h"

#include "runtime/memory.h"

namespace autotrace {
namespace {
constexpr int kInitialBits = 14;
// A forgotten entry keeps its slot, so that probing goes on past it: the address bits of a function
// that cannot exist.
constexpr uint64_t kForgotten = 1;
}  // namespace

DecisionTable::Slots* DecisionTable::Map(int bits) {
  const size_t entries = size_t{1} << bits;
  const size_t bytes = sizeof(Slots) + (entries - 1) * sizeof(uint64_t);
  auto* slots = static_cast<Slots*>(MapMemory(bytes));
  if (slots == nullptr) return nullptr;
  slots->shift = 64 - bits;
  slots->mask = entries - 1;
  slots->mapped_bytes = bytes;
  return slots;
}

bool DecisionTable::Initialize() {
  Slots* slots = Map(kInitialBits);
  slots_.store(slots, std::memory_order_release);
  return slots != nullptr;
}

bool DecisionTable::Insert(Slots* slots, uint64_t word) {
  size_t index = Hash(word & format::kAddressMask) >> slots->shift;
  for (;;) {
    uint64_t present = slots->entries[index].load(std::memory_order_relaxed);
    if (present == 0) {
      if (slots->entries[index].compare_exchange_strong(present, word, std::memory_order_release)) {
        return true;
      }
    }
    if (SameFunction(present, word & format::kAddressMask)) {
      slots->entries[index].store(word, std::memory_order_release);
      return false;
    }
    index = (index + 1) & slots->mask;
  }
}

void DecisionTable::Store(uint64_t function, uint16_t bits) {
  Slots* slots = slots_.load(std::memory_order_acquire);
  // Never fuller than three quarters, or probing would get long and, in the end, endless.
  if (count_.load(std::memory_order_relaxed) >= slots->mask / 4 * 3) return Grow(slots);
  if (Insert(slots, FunctionWord(function, bits | decision::kKnown))) {
    if (count_.fetch_add(1, std::memory_order_relaxed) + 1 >= slots->mask / 2) Grow(slots);
  }
}

void DecisionTable::Grow(Slots* full) {
  if (growing_.exchange(true, std::memory_order_acquire)) return;  // somebody else does it
  if (slots_.load(std::memory_order_acquire) == full) {
    Slots* larger = Map(64 - full->shift + 1);
    if (larger != nullptr) {
      size_t count = 0;
      for (size_t i = 0; i <= full->mask; ++i) {
        const uint64_t word = full->entries[i].load(std::memory_order_relaxed);
        if (word != 0 && word != kForgotten && Insert(larger, word)) ++count;
      }
      count_.store(count, std::memory_order_relaxed);
      slots_.store(larger, std::memory_order_release);
    }
  }
  growing_.store(false, std::memory_order_release);
}

void DecisionTable::Forget(uint64_t start, uint64_t end) {
  Slots* slots = slots_.load(std::memory_order_acquire);
  for (size_t i = 0; i <= slots->mask; ++i) {
    uint64_t word = slots->entries[i].load(std::memory_order_relaxed);
    const uint64_t function = word & format::kAddressMask;
    if (word == 0 || function < start || function >= end) continue;
    slots->entries[i].compare_exchange_strong(word, kForgotten, std::memory_order_relaxed);
  }
}

}  // namespace autotrace
