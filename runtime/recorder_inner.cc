// The recorders of hooks inside hooks: a signal handler has interrupted a hook and calls hooks
// itself.
//
// What the handler calls is recorded by another recorder, since the one of the hook may be in the
// middle of anything, and stands below what the hook's recorder has open: as if the signal had come
// right before or right after the entry or the exit that it interrupted. There are two such
// recorders: what one of exits says of the frame on top (Recorder::ending_) is old in an entry.
#include <stddef.h>
#include <string.h>

#include <limits>

#include "runtime/recorder.h"

namespace autotrace {

// All addresses are taken for those of one stack: the handler is done before the hook goes on.
void Recorder::set_inner(Recorder* of_entries, Recorder* of_others) {
  inner_of_entries_ = of_entries;
  inner_of_others_ = of_others;
  for (Recorder* inner : {of_entries, of_others}) {
    if (inner == nullptr) continue;
    inner->interrupted_ = this;
    inner->SetHere({0, std::numeric_limits<uint64_t>::max()});
    // A handler's first entry is looked at.
    inner->first_segment()->sentinel()->frame_address = 0;
  }
}

size_t Recorder::WipedOffset() { return offsetof(Recorder, limit_); }

// Whose children a handler's outermost spans are. This recorder's hook is interrupted: it may have
// read what is changed here. So nothing is given to a frame that an exit may be ending, others get
// their sequences for good (SetSequence), and a trace that has not begun makes the next span take
// the slow path, which begins it.
OuterParent Recorder::ParentOfHandler(Recorder* inner) {
  if (switches_.load(std::memory_order_relaxed) % 2 != 0) return {};
  const bool is_ending = inner == inner_of_others_ && ending_ == top_ - 1;
  Frame* parent = NearestSpan(is_ending ? ending_ : top_);
  if (parent == nullptr) return outer_;
  Frame* root = RootFrame();
  if (root_ == nullptr) write_fast_end_ = nullptr;
  inner->SetSequence(root);
  inner->SetSequence(parent);
  OuterParent identity;
  CurrentTraceId(shared_->secret, identity.trace_id);
  identity.sequence = parent->sequence;
  return identity;
}

// A handler may interrupt this and give the frame a sequence, which stays.
void Recorder::SetSequence(Frame* frame) {
  if (frame->sequence != 0) return;
  uint64_t none = 0;
  frame->sequence.CompareExchange(&none, NewSequence());
}

}  // namespace autotrace
