// A recorder's open spans, as the background thread sees them.
#include <string.h>

#include <algorithm>

#include "runtime/recorder.h"

namespace autotrace {

namespace {

// What is in a frame at this moment; the thread may be changing it.
format::OpenFrame Look(const Frame& frame, uint64_t function) {
  const bool is_manual = (DecisionOf(function) & decision::kManual) != 0;
  const uint16_t flags = is_manual ? format::kSpanManual : 0;
  return {format::HeadWord(format::RecordKind::kSpanWithCaller, flags, function),
          frame.start.Look(), frame.sequence.Look(), frame.call_site.Look()};
}

// Visits the open frames and their functions, outermost first, until `visit` returns false. The
// thread may change all that is read here, also while it is read.
template <typename Visit>
void VisitFrames(StackSegment* first, Frame* const* top_place, Visit visit) {
  // Once for all segments: between two looks it may return to a segment that was visited already.
  const Frame* top = __atomic_load_n(top_place, __ATOMIC_ACQUIRE);
  if (top == nullptr) return;  // not ready yet
  for (StackSegment* segment = first; segment != nullptr; segment = segment->next()) {
    const bool last = top >= segment->first() && top <= segment->limit() + 1;
    const Frame* end = last ? top : segment->limit();
    for (const Frame* frame = segment->first(); frame < end; ++frame) {
      if (!visit(*frame, frame->function.Look())) return;
    }
    if (last) return;
  }
}

// The same with what is in the frames of spans. Of what the thread changes meanwhile the result is
// thrown away (see CopyOpenFrames).
template <typename Visit>
void VisitOpenSpans(StackSegment* first, Frame* const* top_place, Visit visit) {
  VisitFrames(first, top_place, [&](const Frame& frame, uint64_t function) {
    const bool is_span = (DecisionOf(function) & decision::kRecord) != 0;
    return !is_span || visit(Look(frame, function));
  });
}

}  // namespace

size_t CopyOpenFrames(const OpenCalls& calls, const IdSecret& secret, std::string* frames,
                      size_t limit, uint64_t trace_id[2]) {
  size_t count = 0;
  uint64_t root_sequence = 0;
  VisitOpenSpans(calls.first_segment, &calls.top, [&](const format::OpenFrame& open) {
    if (count == limit) return false;
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
  // given twice, and the top moves only after a frame is complete. All is loaded with acquire: in
  // this order.
  const uint32_t switches = switches_.load(std::memory_order_acquire);
  if (switches % 2 != 0) return 0;
  // Another thread may have gone on where this one was, and its recorder has them now.
  const CallStack* stack = stack_.load(std::memory_order_acquire);
  if (!Holds(stack)) return 0;
  StackSegment* const first_segment = first_segment_.load(std::memory_order_acquire);
  const size_t before = frames->size();
  size_t count = 0;
  VisitOpenSpans(first_segment, &top_, [&](const format::OpenFrame& open) {
    if (count == limit) return false;
    frames->append(reinterpret_cast<const char*>(&open), sizeof(open));
    ++count;
    return true;
  });
  size_t unchanged = 0;
  uint64_t root_sequence = 0;
  VisitOpenSpans(first_segment, &top_, [&](const format::OpenFrame& now) {
    if (unchanged == count) return false;
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
  const OuterParent outer = outer_.Look();
  if (switches_.load(std::memory_order_relaxed) != switches) unchanged = 0;
  frames->resize(before + unchanged * sizeof(format::OpenFrame));
  trace_id[0] = trace_id[1] = 0;
  if (root_sequence != 0) {
    TraceIdOf(shared_->secret, root_sequence, trace_id);
    if (outer.exists()) memcpy(trace_id, outer.trace_id, sizeof(outer.trace_id));
  }
  return unchanged;
}

// The thread may be changing them: then the result is not used.
__attribute__((no_sanitize("thread"))) OpenCalls Recorder::OwnCalls() const { return own_calls_; }

bool Recorder::VisitOpenFunctions(
    const std::function<void(uint64_t function, uint64_t start)>& visit) const {
  const uint32_t switches = switches_.load(std::memory_order_acquire);
  if (switches % 2 != 0) return false;
  const CallStack* stack = stack_.load(std::memory_order_acquire);
  const auto visit_frame = [&](const Frame& frame, uint64_t function) {
    if (function != kNoFunction) visit(function & format::kAddressMask, frame.start.Look());
    return true;
  };
  // What another thread has taken is visited there.
  if (Holds(stack)) {
    VisitFrames(first_segment_.load(std::memory_order_acquire), &top_, visit_frame);
  }
  // What is open on the thread's own stack while it is on another one does not change.
  if (stack != nullptr) {
    const OpenCalls own = OwnCalls();
    VisitFrames(own.first_segment, &own.top, visit_frame);
  }
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return switches_.load(std::memory_order_relaxed) == switches;
}
}  // namespace autotrace
