// How often functions were called that were too short to be kept each time: those that were called
// very often fall quiet (quiet_functions.h).
//
// A table of fixed size that any thread adds to; functions that find no room in it are not counted.
// One call that is kept exempts its function. Async-signal-safe but for Initialize.
#ifndef AUTOTRACE_RUNTIME_SHORT_CALLS_H_
#define AUTOTRACE_RUNTIME_SHORT_CALLS_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "runtime/append_log.h"

namespace autotrace {

class ShortCalls {
 public:
  static constexpr uint32_t kMostCalls = 1'000'000'000;

  // Maps the table, once. False without memory: then nothing is counted.
  bool Initialize();

  // Of how many calls a function becomes a candidate, at most kMostCalls; 0: nothing is counted.
  void set_limit(uint32_t calls) { limit_.store(calls, std::memory_order_relaxed); }
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }

  // A call of this function was not kept. True: the function is quiet, and the caller has looked up
  // an older decision.
  bool Add(uint64_t function);
  // From here on it is neither counted nor a candidate.
  void Exempt(uint64_t function) { Set(function, kExempt); }

  // ---- Background thread
  // Functions whose calls have come to the limit, each once since Reset. 0: to be passed over.
  const AppendLog<uint64_t>& candidates() const { return candidates_; }
  void MakeQuiet(uint64_t function) { Set(function, kQuiet); }
  uint32_t CallsOf(uint64_t function) const;
  // All begin anew, those that were quiet or exempt as well.
  void Reset();

  bool IsQuiet(uint64_t function) const;
  void AfterFork() { candidates_.AfterFork(); }

 private:
  // In the place of a count's high bits.
  static constexpr uint32_t kExempt = uint32_t{1} << 31;
  static constexpr uint32_t kQuiet = uint32_t{1} << 30;
  static constexpr uint32_t kCount = kQuiet - 1;
  static constexpr int kBits = 16;
  static constexpr size_t kPlaces = size_t{1} << kBits;
  // Functions whose place others have taken look at so many more.
  static constexpr size_t kTries = 16;
  struct Place {
    std::atomic<uint64_t> function;
    std::atomic<uint32_t> calls;
  };

  static size_t IndexOf(uint64_t function) {
    return (function * 0x9e3779b97f4a7c15u) >> (64 - kBits);
  }
  // Null: it has none.
  const Place* Find(uint64_t function) const;
  Place* FindOrTake(uint64_t function);
  void Set(uint64_t function, uint32_t flag);

  std::atomic<uint32_t> limit_{0};
  std::atomic<Place*> places_{nullptr};
  AppendLog<uint64_t> candidates_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SHORT_CALLS_H_
