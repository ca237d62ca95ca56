// How much of a mapped file a process has in memory, by what of it was read.
//
// Each read of a page brings those around it along, if the kernel has them. The names of a large
// binary's functions are all over its file: a thousand of them bring all of it. So when too much
// was read all of it is given back, and what is needed again costs a page fault. Whoever reads on
// and on may keep more, as those faults would take most of the time, until nothing is read any
// more.
#ifndef AUTOTRACE_SYMBOLIZER_RESIDENT_PAGES_H_
#define AUTOTRACE_SYMBOLIZER_RESIDENT_PAGES_H_

#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <atomic>

namespace autotrace::symbolizer {

// Async-signal-safe, any number of threads at once.
class ResidentPages {
 public:
  // What the kernel maps around a page fault.
  static constexpr size_t kWindowBytes = 64 << 10;
  static constexpr uint32_t kMostWindows = 64;
  static constexpr uint32_t kMoreEachTime = 24;
  static constexpr uint32_t kMostOfAll = 640;

  // Something was read at this place. True: too much is in memory now, and the caller is to give it
  // back; counting begins anew.
  bool Read(size_t offset) {
    // (Places that are 2 GiB apart count as one.)
    const size_t window = offset / kWindowBytes % kWindows;
    std::atomic<uint64_t>& word = seen_[window / 64];
    const uint64_t bit = uint64_t{1} << (window % 64);
    if ((word.load(std::memory_order_relaxed) & bit) != 0 ||
        (word.fetch_or(bit, std::memory_order_relaxed) & bit) != 0 ||
        count_.fetch_add(1, std::memory_order_relaxed) + 1 <
            most_.load(std::memory_order_relaxed)) {
      return false;
    }
    const uint32_t most = most_.load(std::memory_order_relaxed);
    most_.store(std::min(most + kMoreEachTime, kMostOfAll), std::memory_order_relaxed);
    Forget();
    return true;
  }
  // True: something is in memory, and nothing was read that was not since the last question. The
  // caller is to give it back. One thread.
  bool IsQuiet() {
    const uint32_t count = count_.load(std::memory_order_relaxed);
    const bool quiet = count != 0 && count == last_count_;
    last_count_ = count;
    if (!quiet) return false;
    most_.store(kMostWindows, std::memory_order_relaxed);
    Forget();
    return true;
  }
  // Everything was given back.
  void Forget() {
    count_.store(0, std::memory_order_relaxed);
    for (std::atomic<uint64_t>& word : seen_) word.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kWindows = 32768;

  std::atomic<uint32_t> count_{0};
  std::atomic<uint32_t> most_{kMostWindows};
  uint32_t last_count_ = 0;
  std::atomic<uint64_t> seen_[kWindows / 64] = {};
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_RESIDENT_PAGES_H_
