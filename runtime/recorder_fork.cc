// A recorder in a forked child.
//
// What was open when the process forked is open in both, and ends in the parent's recording. In the
// child these frames wait for their exits and leave no span; the innermost span among them becomes
// the parent of the child's own spans.
#include <string.h>

#include "runtime/recorder.h"

namespace autotrace {
namespace {

// Visits the open frames, outermost first.
template <typename Visit>
void ForEachFrame(const OpenCalls& calls, Visit visit) {
  for (StackSegment* segment = calls.first_segment; segment != nullptr; segment = segment->next()) {
    Frame* end = segment == calls.segment ? calls.top : segment->limit();
    for (Frame* frame = segment->first(); frame < end; ++frame) visit(frame);
    if (segment == calls.segment) return;
  }
}

void BecomeTheParents(OpenCalls* calls, const IdSecret& old_secret) {
  const Frame* current = nullptr;
  const Frame* root = calls->cut_root;
  ForEachFrame(*calls, [&](Frame* frame) {
    if (!frame->is_span()) return;
    current = frame;
    if (root == nullptr) root = frame;
  });
  if (current != nullptr && current->sequence != 0) {
    if (!calls->outer.exists() || root == calls->cut_root) {
      TraceIdOf(old_secret, root->sequence, calls->outer.trace_id);
    }
    calls->outer.span_id = SpanIdOf(old_secret, current->sequence);
  } else if (calls->outer.sequence != 0) {
    calls->outer.span_id = SpanIdOf(old_secret, calls->outer.sequence);
  }
  calls->outer.sequence = 0;
  ForEachFrame(*calls, [](Frame* frame) {
    // Known, and nothing else.
    if (frame->is_span()) frame->function = FunctionWord(frame->function, decision::kKnown);
    frame->sequence = 0;
  });
  calls->cut_root = nullptr;
  calls->depth = 0;
}

}  // namespace

void Recorder::AfterFork(const IdSecret& old_secret, uint64_t tid) {
  tid_ = tid;
  chunk_ = nullptr;
  write_ = write_end_ = write_fast_end_ = nullptr;
  chunk_sequence_ = 0;
  next_sequence_ = sequence_end_ = 0;
  OpenCalls here = Calls();
  BecomeTheParents(&here, old_secret);
  outer_ = here.outer;
  cut_root_ = root_ = nullptr;
  depth_ = 0;
  if (MayEnterFast()) AllowFastEntries();
  if (stack_.load(std::memory_order_relaxed) != nullptr) BecomeTheParents(&own_calls_, old_secret);
}

void Recorder::AfterForkOnStacks(RecorderShared* shared, const IdSecret& old_secret,
                                 const Recorder* own) {
  shared->stacks.ForEach([&](CallStack* stack) {
    const uint64_t state = stack->state;
    CallStack::Place* used = stack->PlaceIn(state);
    // Threads that were putting calls into places are not in this process.
    for (CallStack::Place& place : stack->places) place.in_use = &place == used;
    if (used != nullptr) return BecomeTheParents(&used->calls, old_secret);
    const uintptr_t holder = CallStack::HolderOf(state);
    if (holder != 0 && holder == reinterpret_cast<uintptr_t>(own)) return;
    // Another thread was there, and what it was doing is lost.
    if (stack->is_announced()) {
      stack->state = state & (CallStack::kAnnounced | CallStack::kGenerations);
    } else {
      stack->Forget();
    }
  });
}

}  // namespace autotrace
