// Function address -> decision, looked up by every hook.
//
// An open-addressing hash table of 64-bit entries (address in the low 48 bits, decision in the high
// 16), read without locks and filled by whichever thread sees a function first. It grows by
// publishing a larger copy; an entry that a race loses is merely decided again. Old copies are
// kept, because a reader may still be looking at them.
#ifndef AUTOTRACE_RUNTIME_DECISION_TABLE_H_
#define AUTOTRACE_RUNTIME_DECISION_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "runtime/trace_format.h"

namespace autotrace {

// The high 16 bits of an entry and of a shadow frame's function word.
namespace decision {
inline constexpr uint16_t kThresholdMask = 0x007f;  // index of the minimum duration
inline constexpr uint16_t kNoThreshold = 0x007f;    // the index whose minimum is 0
inline constexpr uint16_t kNamedExactly = 1 << 7;   // a pattern spells out this very function
inline constexpr uint16_t kKnown = 1 << 8;          // always set in the table
inline constexpr uint16_t kRecord = 1 << 9;         // pushes a frame, may become a span
// The rest makes a hook leave its fast path.
inline constexpr uint16_t kHideSubtree = 1 << 10;   // pushes a frame that hides all below it
inline constexpr uint16_t kStartsTrace = 1 << 11;   // `roots:`
inline constexpr uint16_t kMeasured = 1 << 12;      // was not slow yet: recorder.cc looks at it
inline constexpr uint16_t kDepthLimited = 1 << 13;  // max_depth is set
inline constexpr uint16_t kManual = 1 << 14;        // frames only: a manual span
inline constexpr uint16_t kUnwinding = 1 << 15;     // frames only: see recorder_unwinding.cc

// The plain case, as the high byte of a word.
inline constexpr uint8_t kPlainRecord = (kKnown | kRecord) >> 8;
inline constexpr uint8_t kPlainHidden = kKnown >> 8;
}  // namespace decision

constexpr uint64_t FunctionWord(uint64_t function, uint16_t bits) {
  return (function & format::kAddressMask) | (uint64_t{bits} << format::kAddressBits);
}
constexpr uint16_t DecisionOf(uint64_t word) { return static_cast<uint16_t>(word >> 48); }
constexpr uint8_t DecisionKind(uint64_t word) { return static_cast<uint8_t>(word >> 56); }
// The same decision once a function that is measured was slow. `is_slow`: from then on all its
// calls are.
constexpr uint16_t AsSlow(uint16_t bits, bool is_slow) {
  return static_cast<uint16_t>((bits & ~decision::kMeasured) |
                               (is_slow ? decision::kNoThreshold : 0));
}
constexpr bool SameFunction(uint64_t word, uint64_t function) {
  return ((word ^ function) << 16) == 0;
}

class DecisionTable {
 public:
  static constexpr int kInitialBits = 14;

  // Maps the first table, for 2^bits functions and fewer. False when there is no memory.
  bool Initialize(int bits = kInitialBits);
  // In a forked child: the thread that was growing it is not here.
  void AfterFork();

  // The entry of this function, or 0. Traced threads.
  uint64_t Lookup(uint64_t function) const {
    return Find(slots_.load(std::memory_order_acquire), function);
  }

  // The entry in this function's own slot: the function's, except when it had to move aside for
  // another one; then any other. One that was forgotten has a DecisionKind of 0. Traced threads.
  uint64_t LookupFirst(uint64_t function) const {
    const Slots* slots = slots_.load(std::memory_order_acquire);
    return slots->entries[Hash(function) >> slots->shift].load(std::memory_order_relaxed);
  }

  // Adds or replaces a function's decision. Traced threads; when memory runs out the entry is not
  // stored and the function will be asked about again.
  void Store(uint64_t function, uint16_t bits);
  // Changes an entry that Lookup gave, unless it was changed or forgotten meanwhile. Traced
  // threads.
  void Replace(uint64_t entry, uint16_t bits);

  // Forgets the functions for which is_forgotten(address) is true: they become unknown, whatever
  // other threads do at the same time, except for what they store after this began. Any thread;
  // async-signal-safe.
  template <typename Predicate>
  void ForgetIf(Predicate is_forgotten) {
    ForgetEverywhere([&](Slots* slots) {
      for (size_t i = 0; i <= slots->mask; ++i) {
        const uint64_t word = slots->entries[i].load(std::memory_order_relaxed);
        if (IsDecided(word) && is_forgotten(word & format::kAddressMask)) Clear(slots, i);
      }
    });
  }
  void Forget(uint64_t start, uint64_t end) {
    ForgetIf([=](uint64_t function) { return start <= function && function < end; });
  }
  // The same for one function, without looking at all others.
  void ForgetOne(uint64_t function);

  // How many slots are in use, by functions known or forgotten; and how many there are.
  size_t size() const { return count_.load(std::memory_order_relaxed); }
  size_t capacity() const { return slots_.load(std::memory_order_acquire)->mask + 1; }

 private:
  struct Slots {
    int shift;
    size_t mask;
    std::atomic<uint64_t> entries[1];
  };

  static uint64_t Hash(uint64_t function) { return function * 0x9e3779b97f4a7c15u; }
  static bool IsDecided(uint64_t word) { return DecisionOf(word) != 0; }
  static Slots* Map(int bits);
  // Where the function is, or where the probing for it ends.
  static size_t IndexOf(const Slots* slots, uint64_t function) {
    size_t index = Hash(function) >> slots->shift;
    for (;;) {
      const uint64_t word = slots->entries[index].load(std::memory_order_relaxed);
      if (word == 0 || SameFunction(word, function)) return index;
      index = (index + 1) & slots->mask;
    }
  }
  static uint64_t Find(const Slots* slots, uint64_t function) {
    size_t index = Hash(function) >> slots->shift;
    for (;;) {
      const uint64_t word = slots->entries[index].load(std::memory_order_relaxed);
      if (__builtin_expect(SameFunction(word, function), 1)) return IsDecided(word) ? word : 0;
      if (word == 0) return 0;
      index = (index + 1) & slots->mask;
    }
  }
  static bool Insert(Slots* slots, uint64_t word);
  static void Clear(Slots* slots, size_t index) {
    // Only the decision goes: others may be found behind this one.
    slots->entries[index].fetch_and(format::kAddressMask, std::memory_order_seq_cst);
  }
  // Calls forget(slots) for every table that is or will be looked at.
  template <typename Work>
  void ForgetEverywhere(Work forget) {
    for (;;) {
      Slots* slots = slots_.load(std::memory_order_seq_cst);
      forget(slots);
      // Whoever begins to copy after this finds them forgotten; see Copy.
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (Slots* copy = copy_.load(std::memory_order_seq_cst); copy != nullptr) forget(copy);
      if (slots_.load(std::memory_order_seq_cst) == slots) return;
    }
  }
  void Grow(Slots* full);
  static size_t Copy(const Slots* from, Slots* copy);
  static size_t CountDecided(const Slots* slots);

  std::atomic<Slots*> slots_{nullptr};
  std::atomic<Slots*> copy_{nullptr};  // that will take its place
  std::atomic<size_t> count_{0};
  std::atomic<bool> growing_{false};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_DECISION_TABLE_H_
