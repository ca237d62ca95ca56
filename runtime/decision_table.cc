#include "runtime/decision_table.h"

#include "runtime/memory.h"

namespace autotrace {
namespace {
constexpr int kInitialBits = 14;
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
    const uint64_t forgets = forgets_.load(std::memory_order_seq_cst);
    const int bits = 64 - full->shift;
    // Forgotten functions are left behind: where they are most of what there is, the copy need not
    // be larger.
    const size_t decided = CountDecided(full);
    Slots* copy = Map(decided < full->mask / 4 ? bits : bits + 1);
    if (copy != nullptr) {
      size_t count = 0;
      for (size_t i = 0; i <= full->mask; ++i) {
        const uint64_t word = full->entries[i].load(std::memory_order_relaxed);
        if (IsDecided(word) && Insert(copy, word)) ++count;
      }
      count_.store(count, std::memory_order_relaxed);
      slots_.store(copy, std::memory_order_seq_cst);
      // A Forget that ended before the store above saw the old table only, and may have come too
      // late for what had been copied. One that goes on looks at the copy itself.
      if (forgets_.load(std::memory_order_seq_cst) != forgets) DropForgotten(full, copy);
    }
  }
  growing_.store(false, std::memory_order_release);
}

// What the old table does not know any more, and what was stored into the copy meanwhile, which
// will be decided again.
void DecisionTable::DropForgotten(const Slots* old, Slots* copy) {
  for (size_t i = 0; i <= copy->mask; ++i) {
    uint64_t word = copy->entries[i].load(std::memory_order_relaxed);
    const uint64_t function = word & format::kAddressMask;
    if (!IsDecided(word) || Find(old, function) != 0) continue;
    copy->entries[i].compare_exchange_strong(word, function, std::memory_order_relaxed);
  }
}

size_t DecisionTable::Forget(uint64_t start, uint64_t end, uint64_t* entries, size_t capacity) {
  forgets_.fetch_add(1, std::memory_order_seq_cst);
  size_t given = 0;
  for (;;) {
    Slots* slots = slots_.load(std::memory_order_seq_cst);
    for (size_t i = 0; i <= slots->mask; ++i) {
      uint64_t word = slots->entries[i].load(std::memory_order_relaxed);
      // Again when another thread changed the decision meanwhile.
      while (IsDecidedIn(word, start, end)) {
        if (!slots->entries[i].compare_exchange_weak(word, word & format::kAddressMask,
                                                     std::memory_order_relaxed)) {
          continue;
        }
        if (given < capacity) entries[given++] = word;
        break;
      }
    }
    if (slots_.load(std::memory_order_seq_cst) == slots) return given;
    capacity = given;  // the copy repeats what was given out already
  }
}

size_t DecisionTable::CountDecided(const Slots* slots) {
  size_t count = 0;
  for (size_t i = 0; i <= slots->mask; ++i) {
    if (IsDecided(slots->entries[i].load(std::memory_order_relaxed))) ++count;
  }
  return count;
}

}  // namespace autotrace
