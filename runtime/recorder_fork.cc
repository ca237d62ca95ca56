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
  if (hidden_subtree_ == nullptr && !first_entry_) AllowFastEntries();
  if (stack_.load(std::memory_order_relaxed) != nullptr) BecomeTheParents(&own_calls_, old_secret);
}

void Recorder::AfterForkOnStacks(RecorderShared* shared, const IdSecret& old_secret,
                                 const Recorder* own) {
  shared->stacks.ForEach([&](CallStack* stack) {
    const uintptr_t holder = CallStack::HolderOf(stack->state);
    if (holder == reinterpret_cast<uintptr_t>(own)) return;
    OpenCalls* calls = &stack->calls[stack->place];
    // Where another thread was: it is not in this process, and what it was doing is lost.
    if (holder != 0) {
      *calls = {};
      if (!stack->is_announced()) stack->set_range({});
      stack->state.fetch_and(CallStack::kAnnounced);
    } else if (calls->first_segment != nullptr) {
      BecomeTheParents(calls, old_secret);
    }
  });
}

}  // namespace autotrace
