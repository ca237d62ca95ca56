// A recorder whose thread goes from one machine stack to another: fibers, ucontext.
//
// Each stack has open calls of its own. The outermost span on a stack is a child of the span that
// was open where the stack was switched to, which is thereby kept; from then on its calls nest
// among themselves, whoever resumes it.
#include "runtime/recorder.h"

namespace autotrace {
namespace {

// Of a stack's first segment of frames.
constexpr size_t kFirstSegmentBytes = size_t{16} << 10;

}  // namespace

void Recorder::SwitchToStackOf(uint64_t address) {
  if (stack_ != nullptr ? stack_->Contains(address) : !shared_->stacks.any()) return;
  SwitchTo(shared_->stacks.Find(address));
}

// Null: the thread's own.
void Recorder::SwitchTo(CallStack* stack) {
  if (stack == stack_) return;
  if (stack != nullptr && stack->calls.first_segment == nullptr) {
    StackSegment* segment = StackSegment::Map(kFirstSegmentBytes);
    if (segment == nullptr) return;
    // Entries on an empty stack are looked at: the program may have left it unannounced.
    segment->sentinel()->frame_address = 0;
    stack->calls = {};
    stack->calls.first_segment = stack->calls.segment = segment;
    stack->calls.top = segment->first();
  }
  if (stack != nullptr && stack->calls.top == stack->calls.first_segment->first()) {
    stack->calls.outer = PinCurrent();
  }
  // The background thread must not take one stack's frames for the other's.
  switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  OpenCalls& left = stack_ != nullptr ? stack_->calls : own_calls_;
  left = {first_segment_, segment_, top_, cut_root_, hidden_subtree_, overflow_, depth_, outer_};
  if (stack_ != nullptr) stack_->tid = tid_;
  const OpenCalls& taken = stack != nullptr ? stack->calls : own_calls_;
  first_segment_ = taken.first_segment;
  segment_ = taken.segment;
  cut_root_ = taken.cut_root;
  hidden_subtree_ = taken.hidden_subtree;
  overflow_ = taken.overflow;
  depth_ = taken.depth;
  outer_ = taken.outer;
  limit_ = hidden_subtree_ != nullptr || first_entry_ ? nullptr : segment_->limit();
  Publish(taken.top);
  stack_ = stack;
  switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  // What follows belongs to the trace that goes on here.
  root_ = RootFrame();
  if (root_ != nullptr && root_->sequence == 0) root_ = nullptr;
  if (root_ != nullptr) WriteTraceBegin(format::kTraceResumed);
}

void Recorder::StackCreated(uint64_t low, uint64_t high) {
  shared_->stacks.Add(low, high, &shared_->next_thread_index);
}

void Recorder::StackDestroyed(uint64_t low) {
  CallStack* stack = shared_->stacks.Find(low);
  if (stack == nullptr) return;
  CallStack* const here = stack_;
  if (stack->calls.first_segment != nullptr && stack != here) {
    SwitchTo(stack);
    EndCalls(format::kSpanMissedExit);
    SwitchTo(here);
  }
  if (stack != here) CallStacks::Remove(stack);
}

}  // namespace autotrace
