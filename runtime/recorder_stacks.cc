// A recorder whose thread goes from one machine stack to another: fibers, ucontext, switches by
// hand.
//
// Each stack has open calls of its own. The outermost span on a stack is a child of the span that
// was open where the stack was switched to, which is thereby kept; from then on its calls nest
// among themselves, whoever resumes it.
//
// Switches that nobody announces are noticed by the next hook, whose frame lies outside of the
// stack that the thread was on. Where a stack begins and ends is then not known, only where calls
// were seen: the noted part grows with them. The outermost span on such a stack is a child of what
// is open on the thread's own stack, since it cannot be told who switched.
#include <algorithm>

#include "runtime/recorder.h"
#include "runtime/signal_stack.h"

namespace autotrace {
namespace {

// Of a stack's first segment of frames.
constexpr size_t kFirstSegmentBytes = size_t{16} << 10;
// What is taken for a part of a stack around a call that was seen there.
constexpr uint64_t kNotedBelow = uint64_t{4} << 10;
constexpr uint64_t kNotedAbove = 512;
// A call so far below the innermost open one of an unannounced stack may be on the same one, if
// nothing else tells. Less than the smallest usual stack (16 KiB): where many lie side by side, the
// next one begins below.
constexpr uint64_t kLargestUsualFrame = uint64_t{8} << 10;

}  // namespace

// ---- Which stack is this -----------------------------------------------------------------------

void Recorder::FindStackOf(uint64_t address) {
  if (interrupted_ != nullptr) return;
  if (HasLostStack()) SwitchTo(nullptr, 0);
  // A handler that was seen before calls on.
  if (signal_stack_.Contains(address) && signal_stack_.Contains(top_[-1].frame_address)) return;
  CallStack* stack = nullptr;
  do {
    stack = shared_->stacks.Find(address);
    if (stack == nullptr) break;
    // Nothing may be open there: see above whose child the next span is.
    if (CallStack::HolderOf(stack->state) != 0 && !stack->is_announced()) SwitchTo(nullptr, 0);
    if (SwitchTo(stack, address)) return;
    // Without memory, or the recorder of the thread that was there last has forgotten it.
  } while (!stack->Has(address));
  if (own_.Contains(address)) {
    SwitchTo(nullptr, 0);
    return;
  }
  signal_stack_ = SignalStackInUse();
}

bool Recorder::EnterStackOf(uint64_t address, uint64_t call_site) {
  SwitchToStackOf(address);
  if (IsHere(address)) return true;
  if (IsAnotherTask()) return false;
  CallStack* stack = stack_.load(std::memory_order_relaxed);
  if (IsDeeperHere(address, call_site)) {
    // (A thread's own stack may be larger than was known: limits change.)
    const StackRange grown = {NotedPart(address, stack).low, here_.high};
    if (stack != nullptr) {
      stack->set_range(grown);
    } else {
      own_ = grown;
    }
    SetHere(grown);
    return true;
  }
  SwitchTo(nullptr, 0);
  const StackRange noted = NotedPart(address, nullptr);
  uint64_t above = 0;
  stack = shared_->stacks.FindAbove(address, kLargestUsualFrame, &above);
  if (stack != nullptr && !IsOwnBetween(address, above) && SwitchTo(stack, above)) {
    const StackRange grown = {noted.low, stack->range().high};
    stack->set_range(grown);
    SetHere(grown);
    return true;
  }
  stack = shared_->stacks.Note(noted, &shared_->next_thread_index);
  // Without memory its calls nest below what is open on the thread's own stack.
  if (stack != nullptr) SwitchTo(stack, address);
  return true;
}

bool Recorder::IsOwnBetween(uint64_t low, uint64_t high) const {
  return low < own_.low && own_.low < high;
}

// What to take for a part of the stack that this address is on; no other stack's part.
StackRange Recorder::NotedPart(uint64_t address, const CallStack* stack) const {
  const StackRange free = shared_->stacks.FreeAround(address, stack);
  StackRange noted = {std::max(address - std::min(address, kNotedBelow), free.low),
                      std::min(address + kNotedAbove, free.high)};
  if (address < own_.low) noted.high = std::min(noted.high, own_.low);
  if (address >= own_.high) noted.low = std::max(noted.low, own_.high);
  return noted;
}

// Is a call at this address, which lies outside of what is known of the present stack, one further
// in on it?
bool Recorder::IsDeeperHere(uint64_t address, uint64_t call_site) const {
  const CallStack* stack = stack_.load(std::memory_order_relaxed);
  if (address >= here_.low || (stack != nullptr && stack->is_announced())) return false;
  const bool other_between = shared_->stacks.FreeAround(address, stack).high < here_.high ||
                             (stack != nullptr && IsOwnBetween(address, here_.low));
  if (other_between) return false;
  const Frame* caller = top_ - 1;
  if (caller->is_sentinel() || !here_.Contains(caller->frame_address)) return false;
  if (caller->frame_address - address <= kLargestUsualFrame) return true;
  // Called by a function with a large frame, or by the one that this was inlined into.
  if (shared_->is_inside == nullptr) return false;
  const uint64_t frame_address = caller->frame_address;
  for (; !caller->is_sentinel() && caller->frame_address == frame_address; --caller) {
    if (shared_->is_inside(caller->function & format::kAddressMask, call_site)) return true;
  }
  return false;
}

// Made by clone(2) with our memory and without a control block of its own: it must not be taken for
// this recorder's thread.
bool Recorder::IsAnotherTask() const {
  return static_cast<uint64_t>(raw::Syscall(SYS_gettid)) != tid_;
}

// ---- From one to another -----------------------------------------------------------------------

bool Recorder::SwitchTo(CallStack* stack, uint64_t address) {
  CallStack* const left = stack_.load(std::memory_order_relaxed);
  if (stack == left) return true;
  OpenCalls taken = own_calls_;
  if (stack != nullptr && !TakeCalls(stack, address, &taken)) return false;
  if (stack != nullptr && taken.empty()) taken.outer = PinCurrent();
  // The background thread must not take one stack's frames for the other's. Whoever sees a part of
  // what is stored with release below sees this as well.
  switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (left == nullptr) {
    own_calls_ = Calls();
  } else {
    PutCalls(left);
  }
  first_segment_.store(taken.first_segment, std::memory_order_release);
  segment_ = taken.segment;
  cut_root_ = taken.cut_root;
  hidden_subtree_ = taken.hidden_subtree;
  overflow_ = taken.overflow;
  depth_ = taken.depth;
  outer_.Store(taken.outer);
  Publish(taken.top);
  stack_.store(stack, std::memory_order_release);
  here_ = stack != nullptr ? stack->range() : own_;
  OpenFastPaths();
  switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  // What follows belongs to the trace that goes on here.
  root_ = RootFrame();
  if (root_ != nullptr && root_->sequence == 0) root_ = nullptr;
  if (root_ != nullptr) WriteTraceBegin(format::kTraceResumed);
  return true;
}

void Recorder::OpenFastPaths() {
  SetHere(here_);
  if (MayEnterFast()) {
    AllowFastEntries();
  } else {
    __atomic_store_n(&limit_, nullptr, __ATOMIC_RELAXED);
  }
}

void Recorder::SetHere(StackRange range) {
  here_ = range;
  fast_low_ = range.low;
  __atomic_store_n(&fast_size_, ClockIsFast() ? range.high - range.low : 0, __ATOMIC_RELAXED);
  CloseFastPathsAgain();
  // An entry further out is on another stack.
  first_segment()->sentinel()->frame_address = range.high - 1;
}

// May be called by another recorder while this one's thread changes them: then the result is not
// used.
__attribute__((no_sanitize("thread"))) OpenCalls Recorder::Calls() const {
  return {first_segment(), segment_,        __atomic_load_n(&top_, __ATOMIC_ACQUIRE),
          cut_root_,       hidden_subtree_, overflow_,
          depth_,          outer_};
}

// Wherever they are: a recorder whose thread has left the stack without noticing still has them.
// False without memory, or when the stack that this address was on is forgotten: that recorder has
// noticed meanwhile.
bool Recorder::TakeCalls(CallStack* stack, uint64_t address, OpenCalls* calls) {
  uint64_t state = stack->state.load(std::memory_order_acquire);
  Recorder* holder = nullptr;
  CallStack::Place* place = nullptr;
  do {
    if (!CallStack::Exists(state) || !stack->range().Contains(address)) return false;
    holder = reinterpret_cast<Recorder*>(CallStack::HolderOf(state));
    place = stack->PlaceIn(state);
    // The holder gives up the stack before it changes them.
    if (holder != nullptr) *calls = holder->Calls();
    if (place != nullptr) *calls = place->calls;
  } while (!stack->state.compare_exchange_weak(state, Held(state), std::memory_order_acq_rel));
  if (place != nullptr) place->in_use.store(false, std::memory_order_release);
  if (holder != nullptr) {
    // Its thread may come back to this stack without having noticed that it left.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    holder->CloseFastPaths();
  }
  if (holder != nullptr || place != nullptr) return true;
  if (stack->frames == nullptr) stack->frames = StackSegment::Map(kFirstSegmentBytes);
  if (stack->frames == nullptr) {
    if (!stack->is_announced()) {
      stack->Forget();
    } else {
      stack->state.fetch_and(CallStack::kAnnounced | CallStack::kGenerations,
                             std::memory_order_release);
    }
    return false;
  }
  *calls = {};
  calls->first_segment = calls->segment = stack->frames;
  calls->top = stack->frames->first();
  return true;
}

// The state of a stack that this recorder takes in that state.
uint64_t Recorder::Held(uint64_t state) const {
  return reinterpret_cast<uintptr_t>(this) |
         (state & (CallStack::kAnnounced | CallStack::kGenerations));
}

// The present stack's calls, unless another recorder has taken them already.
void Recorder::PutCalls(CallStack* stack) {
  uint64_t state = stack->state.load(std::memory_order_acquire);
  if (state != Held(state)) return;
  const OpenCalls calls = Calls();
  CallStack::Place* place = nullptr;
  uint64_t where = 0;
  if (!calls.empty()) {
    const size_t index = stack->TakePlace();
    where = CallStack::StateOfPlace(index);
    place = &stack->places[index];
    place->calls = calls;
    place->tid = tid_;
    place->top_address.store(top_[-1].frame_address, std::memory_order_release);
  }
  uint64_t put = 0;
  do {
    if (state != Held(state)) {
      if (place != nullptr) place->in_use.store(false, std::memory_order_release);
      return;
    }
    put = where | (state & (CallStack::kAnnounced | CallStack::kGenerations));
    if (CallStack::IsFree(put)) put |= CallStack::kForgotten;
  } while (!stack->state.compare_exchange_weak(state, put, std::memory_order_acq_rel));
  if (CallStack::IsForgotten(put)) stack->Forget();
}

void Recorder::StackCreated(uint64_t low, uint64_t high) {
  const StackRange range = {low, high};
  const CallStack* stack =
      shared_->stacks.Announce(range, own_.Contains(low), &shared_->next_thread_index);
  if (stack != nullptr && stack == stack_.load(std::memory_order_relaxed)) SetHere(range);
}

void Recorder::StackDestroyed(uint64_t low) {
  CallStack* stack = shared_->stacks.Find(low);
  if (stack == nullptr || !stack->is_announced()) return;
  CallStack* const here = stack_.load(std::memory_order_relaxed);
  if (stack == here) return;
  const uint64_t back = here != nullptr ? here->range().low : 0;
  if (stack->frames != nullptr && SwitchTo(stack, low)) {
    EndCalls(format::kSpanMissedExit);
    if (!SwitchTo(here, back)) SwitchTo(nullptr, 0);
  }
  CallStacks::Remove(stack);
}

}  // namespace autotrace
