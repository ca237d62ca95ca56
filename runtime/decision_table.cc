#include "runtime/decision_table.h"

#include "runtime/memory.h"

namespace autotrace {

DecisionTable::Slots* DecisionTable::Map(int bits) {
  const size_t entries = size_t{1} << bits;
  auto* slots = static_cast<Slots*>(MapMemory(sizeof(Slots) + (entries - 1) * sizeof(uint64_t)));
  if (slots == nullptr) return nullptr;
  slots->shift = 64 - bits;
  slots->mask = entries - 1;
  return slots;
}

bool DecisionTable::Initialize(int bits) {
  Slots* slots = Map(bits);
  slots_.store(slots, std::memory_order_release);
  return slots != nullptr;
}

void DecisionTable::AfterFork() {
  copy_.store(nullptr, std::memory_order_relaxed);
  growing_.store(false, std::memory_order_relaxed);
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

void DecisionTable::Replace(uint64_t entry, uint16_t bits) {
  const uint64_t function = entry & format::kAddressMask;
  Slots* slots = slots_.load(std::memory_order_acquire);
  slots->entries[IndexOf(slots, function)].compare_exchange_strong(
      entry, FunctionWord(function, bits | decision::kKnown), std::memory_order_release);
}

void DecisionTable::ForgetOne(uint64_t function) {
  ForgetEverywhere([=](Slots* slots) {
    const size_t index = IndexOf(slots, function);
    if (SameFunction(slots->entries[index].load(std::memory_order_relaxed), function)) {
      Clear(slots, index);
    }
  });
}

void DecisionTable::Grow(Slots* full) {
  if (growing_.exchange(true, std::memory_order_acquire)) return;  // somebody else does it
  if (slots_.load(std::memory_order_acquire) == full) {
    const int bits = 64 - full->shift;
    // Forgotten functions are left behind: where they are most of what there is, the copy need not
    // be larger.
    Slots* copy = Map(CountDecided(full) < full->mask / 4 ? bits : bits + 1);
    if (copy != nullptr) {
      copy_.store(copy, std::memory_order_seq_cst);
      count_.store(Copy(full, copy), std::memory_order_relaxed);
      slots_.store(copy, std::memory_order_seq_cst);
      copy_.store(nullptr, std::memory_order_seq_cst);
    }
  }
  growing_.store(false, std::memory_order_release);
}

// What is forgotten meanwhile must not come back with the copy. Whoever forgets it clears it in the
// old table first and then looks for a copy to clear it in: either it finds the entry there, or it
// cleared the old one so early that this is seen here.
size_t DecisionTable::Copy(const Slots* from, Slots* copy) {
  size_t count = 0;
  for (size_t i = 0; i <= from->mask; ++i) {
    const uint64_t word = from->entries[i].load(std::memory_order_seq_cst);
    if (!IsDecided(word)) continue;
    if (Insert(copy, word)) ++count;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (from->entries[i].load(std::memory_order_seq_cst) != word) {
      Clear(copy, IndexOf(copy, word & format::kAddressMask));
    }
  }
  return count;
}

size_t DecisionTable::CountDecided(const Slots* slots) {
  size_t count = 0;
  for (size_t i = 0; i <= slots->mask; ++i) {
    if (IsDecided(slots->entries[i].load(std::memory_order_relaxed))) ++count;
  }
  return count;
}

}  // namespace autotrace
