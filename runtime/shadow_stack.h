// The open calls of one stack: what was entered and not yet left, innermost on top.
//
// Private memory of one recorder, made of linked segments so that recursion of any depth fits and a
// thread that stays shallow costs two pages. Each segment starts with a sentinel that no function
// matches: the outermost one stands below every root, the others stand for the frame below them, so
// the recorder's fast path can look at "the frame below" without asking whether there is one.
// Traced threads only; see Recorder::CopyOpenFrames for the one reader from outside.
#ifndef AUTOTRACE_RUNTIME_SHADOW_STACK_H_
#define AUTOTRACE_RUNTIME_SHADOW_STACK_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <limits>

#include "runtime/decision_table.h"
#include "runtime/memory.h"

namespace autotrace {

// A function word that no exit hook matches, for frames without a function.
inline constexpr uint64_t kNoFunction = 0;

// A word that one thread owns and others may look at while it is changed. On x86-64 both are plain
// moves.
class OwnedWord {
 public:
  OwnedWord() = default;
  OwnedWord(const OwnedWord&) = delete;
  OwnedWord& operator=(const OwnedWord& other) { return *this = uint64_t{other}; }

  // The owner.
  operator uint64_t() const { return word_; }
  // What the owner stored before is seen by whoever sees this.
  OwnedWord& operator=(uint64_t word) {
    __atomic_store_n(&word_, word, __ATOMIC_RELEASE);
    return *this;
  }
  // The owner, or a signal handler on its thread that interrupts it: `word` in the place of
  // *expected; false, and what is there instead in *expected, when it is another one.
  bool CompareExchange(uint64_t* expected, uint64_t word) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    // An interrupt comes before or after an instruction. Without the lock, which is for other
    // processors, it takes a third of the time.
    bool is_exchanged;
    __asm__("cmpxchgq %3, %1"
            : "=@ccz"(is_exchanged), "+m"(word_), "+a"(*expected)
            : "r"(word)
            : "memory");
    return is_exchanged;
#else
    return __atomic_compare_exchange_n(&word_, expected, word, /*weak=*/false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
#endif
  }
  // Any other thread.
  uint64_t Look() const { return __atomic_load_n(&word_, __ATOMIC_ACQUIRE); }

 private:
  uint64_t word_;
};

struct Frame {
  OwnedWord function;      // address and decision; 0 for a sentinel
  OwnedWord start;         // ticks
  OwnedWord sequence;      // 0 until it is kept or has a kept child
  OwnedWord call_site;     // return address into the caller
  uint64_t frame_address;  // the caller of the hook's stack pointer at the call

  // Makes it one without a function, which no exit hook matches.
  void SetSentinel(uint64_t address) {
    function = kNoFunction;
    start = 0;
    sequence = 0;
    call_site = 0;
    frame_address = address;
  }
  bool is_sentinel() const { return function == kNoFunction; }
  bool has(uint16_t decision_flag) const { return (DecisionOf(function) & decision_flag) != 0; }
  // Spans are recorded for such frames; the others only hide or measure.
  bool is_span() const { return has(decision::kRecord); }
};

class StackSegment {
 public:
  // Null without memory.
  static StackSegment* Map(size_t bytes) { return Place(MapMemory(bytes), bytes); }
  // Uses memory that is zeroed and lives as long as the segment.
  static StackSegment* Place(void* memory, size_t bytes) {
    auto* segment = static_cast<StackSegment*>(memory);
    if (segment == nullptr) return nullptr;
    segment->bytes_ = bytes;
    segment->capacity_ = (bytes - sizeof(StackSegment)) / sizeof(Frame);
    segment->sentinel()->frame_address = std::numeric_limits<uint64_t>::max();
    return segment;
  }

  Frame* sentinel() { return reinterpret_cast<Frame*>(this + 1); }
  Frame* first() { return sentinel() + 1; }
  // One frame is kept back for the overflow mark.
  Frame* limit() { return sentinel() + capacity_ - 1; }

  StackSegment* previous() { return previous_; }
  // The following segment, mapped when there is none yet; null without memory.
  StackSegment* Next() {
    StackSegment* following = next();
    if (following == nullptr) {
      following = Map(bytes_ < kLargestSegment ? 2 * bytes_ : bytes_);
      if (following != nullptr) following->previous_ = this;
      next_.store(following, std::memory_order_release);
    }
    return following;
  }
  // Also for others than the owner.
  StackSegment* next() const { return next_.load(std::memory_order_acquire); }
  // Gives back the segments after this one.
  void Trim() {
    for (StackSegment* segment = next(); segment != nullptr;) {
      StackSegment* following = segment->next();
      UnmapMemory(segment, segment->bytes_);
      segment = following;
    }
    next_.store(nullptr, std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kLargestSegment = size_t{1} << 20;

  StackSegment* previous_;
  std::atomic<StackSegment*> next_;
  size_t bytes_;
  size_t capacity_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SHADOW_STACK_H_
