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

#include <limits>

#include "runtime/decision_table.h"
#include "runtime/memory.h"

namespace autotrace {

// A function word that no exit hook matches, for frames without a function.
inline constexpr uint64_t kNoFunction = 0;

struct Frame {
  uint64_t function;       // address and decision; 0 for a sentinel
  uint64_t start;          // ticks
  uint64_t sequence;       // 0 until it is kept or has a kept child
  uint64_t call_site;      // return address into the caller
  uint64_t frame_address;  // the caller of the hook's stack pointer at the call

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
    if (next_ == nullptr) {
      next_ = Map(bytes_ < kLargestSegment ? 2 * bytes_ : bytes_);
      if (next_ != nullptr) next_->previous_ = this;
    }
    return next_;
  }
  StackSegment* next() { return next_; }
  // Gives back the segments after this one.
  void Trim() {
    for (StackSegment* segment = next_; segment != nullptr;) {
      StackSegment* following = segment->next_;
      UnmapMemory(segment, segment->bytes_);
      segment = following;
    }
    next_ = nullptr;
  }

 private:
  static constexpr size_t kLargestSegment = size_t{1} << 20;

  StackSegment* previous_;
  StackSegment* next_;
  size_t bytes_;
  size_t capacity_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SHADOW_STACK_H_
