// A recorder's open spans, as the background thread sees them.
#include <string.h>

#include <algorithm>

#include "runtime/recorder.h"

namespace autotrace {

namespace {

format::OpenFrame AsOpenFrame(const Frame& frame) {
  const uint16_t flags = frame.has(decision::kManual) ? format::kSpanManual : 0;
  return {format::HeadWord(format::RecordKind::kSpanWithCaller, flags, frame.function), frame.start,
          frame.sequence, frame.call_site};
}

// Visits the open spans' frames, outermost first, until `visit` returns false. The thread may
// change all that is read here, also while it is read: a data race that is meant, since frames are
// written by plain stores. What comes of it is thrown away (see CopyOpenFrames).
template <typename Visit>
__attribute__((no_sanitize("thread"))) void VisitOpenSpans(StackSegment* first,
                                                           Frame* const* top_place, Visit visit) {
  for (StackSegment* segment = first; segment != nullptr; segment = segment->next()) {
    const Frame* top = __atomic_load_n(top_place, __ATOMIC_ACQUIRE);
    if (top == nullptr) return;  // not ready yet
    const bool last = top >= segment->first() && top <= segment->limit() + 1;
    const Frame* end = last ? top : segment->limit();
    for (const Frame* frame = segment->first(); frame < end; ++frame) {
      Frame copy;
      memcpy(&copy, frame, sizeof(copy));
      if (copy.is_span() && !visit(copy)) return;
    }
    if (last) return;
  }
}

}  // namespace

size_t CopyOpenFrames(const OpenCalls& calls, const IdSecret& secret, std::string* frames,
                      size_t limit, uint64_t trace_id[2]) {
  size_t count = 0;
  uint64_t root_sequence = 0;
  VisitOpenSpans(calls.first_segment, &calls.top, [&](const Frame& frame) {
    if (count == limit) return false;
    const format::OpenFrame open = AsOpenFrame(frame);
    if (count++ == 0) root_sequence = open.sequence;
    frames->append(reinterpret_cast<const char*>(&open), sizeof(open));
    return true;
  });
  trace_id[0] = trace_id[1] = 0;
  if (calls.outer.exists()) {
    memcpy(trace_id, calls.outer.trace_id, sizeof(calls.outer.trace_id));
  } else if (root_sequence != 0) {
    TraceIdOf(secret, root_sequence, trace_id);
  }
  return count;
}

size_t Recorder::CopyOpenFrames(std::string* frames, size_t limit, uint64_t trace_id[2]) const {
  // Looks twice. What is the same both times was open in between, all of it at once: no start is
  // given twice, and the top moves only after a frame is complete.
  const uint32_t switches = switches_.load(std::memory_order_acquire);
  if (switches % 2 != 0) return 0;
  // Another thread may have gone on where this one was, and its recorder has them now.
  const CallStack* stack = stack_.load(std::memory_order_relaxed);
  if (stack != nullptr && CallStack::HolderOf(stack->state) != reinterpret_cast<uintptr_t>(this)) {
    return 0;
  }
  const size_t before = frames->size();
  size_t count = 0;
  VisitOpenSpans(first_segment_, &top_, [&](const Frame& frame) {
    if (count == limit) return false;
    const format::OpenFrame open = AsOpenFrame(frame);
    frames->append(reinterpret_cast<const char*>(&open), sizeof(open));
    ++count;
    return true;
  });
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  size_t unchanged = 0;
  uint64_t root_sequence = 0;
  VisitOpenSpans(first_segment_, &top_, [&](const Frame& frame) {
    if (unchanged == count) return false;
    const format::OpenFrame now = AsOpenFrame(frame);
    char* place = frames->data() + before + unchanged * sizeof(now);
    format::OpenFrame first;
    memcpy(&first, place, sizeof(first));
    if (first.head != now.head || first.start != now.start || first.call_site != now.call_site) {
      return false;
    }
    memcpy(place, &now, sizeof(now));  // it may have got a sequence
    if (unchanged++ == 0) root_sequence = now.sequence;
    return true;
  });
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  if (switches_.load(std::memory_order_relaxed) != switches) unchanged = 0;
  frames->resize(before + unchanged * sizeof(format::OpenFrame));
  trace_id[0] = trace_id[1] = 0;
  if (root_sequence != 0) {
    TraceIdOf(shared_->secret, root_sequence, trace_id);
    if (outer_.exists()) memcpy(trace_id, outer_.trace_id, sizeof(outer_.trace_id));
  }
  return unchanged;
}
}  // namespace autotrace
