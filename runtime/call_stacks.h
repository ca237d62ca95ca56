// The machine stacks that threads switch between, and the calls that are open on each:
// makecontext's, those that the program announces (autotrace/c_api.h), and those that it switches
// to by hand and were noticed by the addresses of their calls. A thread's own stack is not among
// them; its recorder has it.
//
// A stack in use lends its open calls to the recorder of the thread that runs on it; the program's
// own synchronisation, without which it could not hand the stack on, orders what threads do with
// it. A thread may leave a stack that is not announced, and another one go on there, before the
// first one's recorder has noticed: so whoever comes takes the calls from where they are
// (Recorder::TakeCalls). Traced threads: no lock, no allocation but raw mappings that are kept for
// later stacks.
#ifndef AUTOTRACE_RUNTIME_CALL_STACKS_H_
#define AUTOTRACE_RUNTIME_CALL_STACKS_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "runtime/outer_parent.h"
#include "runtime/shadow_stack.h"
#include "runtime/stack_range.h"

namespace autotrace {

// What a recorder needs of the stack that it is on.
struct OpenCalls {
  StackSegment* first_segment = nullptr;
  StackSegment* segment = nullptr;  // the one `top` is in
  Frame* top = nullptr;             // one past the innermost open frame
  Frame* cut_root = nullptr;        // innermost open frame that a `roots` pattern made a root
  Frame* hidden_subtree = nullptr;  // the frame that hides all above it
  uint32_t overflow = 0;            // entries that found no memory for a frame
  uint32_t depth = 0;               // open span frames; kept only when max_depth is set
  OuterParent outer;                // of roots that no `roots` pattern cut out

  bool empty() const { return first_segment == nullptr || top == first_segment->first(); }
};

struct CallStack {
  // Open calls that no recorder has.
  struct Place {
    OpenCalls calls;
    uint64_t tid = 0;                      // of the thread that ran there last
    std::atomic<uint64_t> top_address{0};  // the innermost frame's
    std::atomic<bool> in_use{false};
  };
  // More than one: a recorder may still be putting them here when others have long taken them from
  // it, and put them elsewhere.
  static constexpr size_t kPlaces = 4;
  Place places[kPlaces];

  StackSegment* frames = nullptr;  // the first segment, kept for all stacks that are noted here
  uint32_t index = 0;              // as a thread index, for what is open on it in the end

  // Flags, and the recorder that holds the calls; or else, with kOpen, the number of their place.
  // None of all these: there is no such stack. And how many others were noted here before: who
  // looks at what a state is about, and then changes that very state, changes no other stack's.
  static constexpr uint64_t kForgotten = 1;  // nobody may take it any more
  static constexpr uint64_t kOpen = 2;       // the calls are in a place
  static constexpr uint64_t kAnnounced = 4;  // by the program, which also says when it is gone
  static constexpr uint64_t kNoted = 3;      // newly, and the recorder that did so will take it
  static constexpr uint64_t kFlags = 7;
  static constexpr uint64_t kGenerations = ~uint64_t{0} << 48;
  // One that is not announced is forgotten when nothing is open on it and no thread is there: where
  // the next one will lie is not known.
  std::atomic<uint64_t> state{0};

  std::atomic<uint64_t> low{0};
  std::atomic<uint64_t> high{0};

  static uintptr_t HolderOf(uint64_t state) {
    const uint64_t word = state & ~kGenerations;
    return word >= (kPlaces << kPlaceShift) ? word & ~kFlags : 0;
  }
  static bool IsFree(uint64_t state) { return (state & ~kGenerations) == 0; }
  static bool IsForgotten(uint64_t state) { return (state & ~kGenerations) == kForgotten; }
  static bool Exists(uint64_t state) { return !IsFree(state) && !IsForgotten(state); }
  // Null: the calls are not in a place.
  Place* PlaceIn(uint64_t state) {
    if (HolderOf(state) != 0 || (state & kNoted) != kOpen) return nullptr;
    return &places[(state & ~kGenerations) >> kPlaceShift];
  }
  static uint64_t StateOfPlace(size_t index) { return kOpen | (index << kPlaceShift); }
  // A place that is free, from now on in use. Waits for one when as many threads as there are
  // places were interrupted in the few instructions between this and the next step.
  size_t TakePlace();
  // In the state kForgotten, or held: ends that.
  void Forget();

  bool exists() const { return Exists(state.load(std::memory_order_acquire)); }
  bool is_announced() const { return (state.load(std::memory_order_acquire) & kAnnounced) != 0; }
  // (In this order: one that is being noted has no end until it has its beginning.)
  StackRange range() const {
    const uint64_t end = high.load(std::memory_order_acquire);
    const uint64_t begin = low.load(std::memory_order_acquire);
    return begin < end ? StackRange{begin, end} : StackRange{};
  }
  // Does this address lie in it? Others may forget it meanwhile, and note another one here.
  bool Has(uint64_t address) const;
  void set_range(StackRange range) {
    low.store(range.low, std::memory_order_release);
    high.store(range.high, std::memory_order_release);
  }

 private:
  static constexpr unsigned kPlaceShift = 3;
};

class CallStacks {
 public:
  // Does one of them lie inside of a thread's own stack? Until then a thread that is where it was
  // need not look any further.
  bool any_inside_others() const { return any_inside_others_.load(std::memory_order_relaxed); }

  // The one that this address lies in, or null. Looks at each, but remembers where it found what.
  CallStack* Find(uint64_t address);
  // The one that is not announced, that no thread is on, and that has its innermost open call, at
  // `top_address`, at most `reach` above this address, with nothing in between; null: none.
  CallStack* FindAbove(uint64_t address, uint64_t reach, uint64_t* top_address) const;
  // What lies free around this address, which is in no stack. `except`: need not be looked at.
  StackRange FreeAround(uint64_t address, const CallStack* except) const;

  // Adds [low, high), or finds it. `inside`: it lies on a thread's own stack. Null without memory.
  CallStack* Announce(StackRange range, bool inside, std::atomic<uint32_t>* next_index);
  // Adds one that nobody announced, for a recorder that takes it at once. Null without memory.
  CallStack* Note(StackRange range, std::atomic<uint32_t>* next_index);
  // An announced one is no longer a stack of the program's. Its calls have been ended.
  static void Remove(CallStack* stack) {
    stack->set_range({});
    stack->state.fetch_and(~CallStack::kAnnounced, std::memory_order_acq_rel);
  }

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (Block* block = first_.load(std::memory_order_acquire); block != nullptr;
         block = block->next) {
      for (CallStack& stack : block->stacks) {
        if (stack.exists()) visit(&stack);
      }
    }
  }

 private:
  static constexpr size_t kBlockStacks = 30;
  struct Block {
    Block* next = nullptr;
    CallStack stacks[kBlockStacks];
  };
  // Where stacks were found, by the address's page: many programs have thousands of them.
  static constexpr size_t kRemembered = size_t{1} << 15;
  using Remembered = std::atomic<CallStack*>;

  CallStack* Add(uint64_t state, std::atomic<uint32_t>* next_index);
  Remembered* PlaceOf(uint64_t address);
  void RememberFromHere();

  std::atomic<Block*> first_{nullptr};
  std::atomic<Remembered*> remembered_{nullptr};
  std::atomic<bool> any_inside_others_{false};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CALL_STACKS_H_
