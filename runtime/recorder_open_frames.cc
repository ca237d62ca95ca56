// A recorder's open spans, as the background thread sees them.
#include <string.h>

#include <algorithm>

#include "runtime/recorder.h"

namespace autotrace {

// Visits the open spans' frames, outermost first, until `visit` returns false. The thread may
// change all that is read here, also while it is read: a data race that is meant, since frames are
// written by plain stores. What comes of it is thrown away (see CopyOpenFrames).
template <typename Visit>
__attribute__((no_sanitize("thread"))) void Recorder::VisitOpenSpans(Visit visit) const {
  for (StackSegment* segment = first_segment_; segment != nullptr; segment = segment->next()) {
    const Frame* top = __atomic_load_n(&top_, __ATOMIC_ACQUIRE);
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

size_t Recorder::CopyOpenFrames(std::string* frames, size_t limit, uint64_t trace_id[2]) const {
  // Looks twice. What is the same both times was open in between, all of it at once: no start is
  // given twice, and the top moves only after a frame is complete.
  const size_t before = frames->size();
  size_t count = 0;
  const auto open_frame = [](const Frame& frame) {
    const uint16_t flags = frame.has(decision::kManual) ? format::kSpanManual : 0;
    return format::OpenFrame{
        format::HeadWord(format::RecordKind::kSpanWithCaller, flags, frame.function), frame.start,
        frame.sequence, frame.call_site};
  };
  VisitOpenSpans([&](const Frame& frame) {
    if (count == limit) return false;
    const format::OpenFrame open = open_frame(frame);
    frames->append(reinterpret_cast<const char*>(&open), sizeof(open));
    ++count;
    return true;
  });
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  size_t unchanged = 0;
  uint64_t root_sequence = 0;
  VisitOpenSpans([&](const Frame& frame) {
    if (unchanged == count) return false;
    const format::OpenFrame now = open_frame(frame);
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
  frames->resize(before + unchanged * sizeof(format::OpenFrame));
  trace_id[0] = trace_id[1] = 0;
  if (root_sequence != 0) {
    TraceIdOf(shared_->secret, root_sequence, trace_id);
    if (outer_.exists()) memcpy(trace_id, outer_.trace_id, sizeof(outer_.trace_id));
  }
  return unchanged;
}
}  // namespace autotrace
