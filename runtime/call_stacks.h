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
  // While no recorder has them. The other place is for a recorder that is still putting them here
  // when the next one has already taken them from it.
  OpenCalls calls[2];
  uint32_t place = 0;  // of the two; changed by the holder only

  StackSegment* frames = nullptr;  // the first segment, kept for all stacks that are noted here
  uint32_t index = 0;              // as a thread index, for what is open on it in the end
  uint64_t tid = 0;                // of the thread that ran on it last

  // The recorder that holds the calls, and what follows. 0: there is no such stack.
  static constexpr uintptr_t kPutting = 1;    // it is putting them here
  static constexpr uintptr_t kOpen = 2;       // they are here, and some are open
  static constexpr uintptr_t kAnnounced = 4;  // by the program, which also says when it is gone
  static constexpr uintptr_t kFlags = 7;
  // One that is not announced is forgotten when nothing is open on it and no thread is there: where
  // the next one will lie is not known.
  std::atomic<uintptr_t> state{0};

  std::atomic<uint64_t> low{0};
  std::atomic<uint64_t> high{0};
  std::atomic<uint64_t> top_address{0};  // the innermost frame's address, if kOpen

  static uintptr_t HolderOf(uintptr_t state) { return state & ~kFlags; }
  bool exists() const { return state.load(std::memory_order_acquire) != 0; }
  bool is_announced() const { return (state.load(std::memory_order_acquire) & kAnnounced) != 0; }
  StackRange range() const {
    return {low.load(std::memory_order_acquire), high.load(std::memory_order_acquire)};
  }
  void set_range(StackRange range) {
    low.store(range.low, std::memory_order_release);
    high.store(range.high, std::memory_order_release);
  }
};

class CallStacks {
 public:
  // Does one of them lie inside of a thread's own stack? Until then a thread that is where it was
  // need not look any further.
  bool any_inside_others() const { return any_inside_others_.load(std::memory_order_relaxed); }

  // The one that this address lies in, or null. Looks at each, but remembers where it found what.
  CallStack* Find(uint64_t address);
  // The one that is not announced and has its innermost open call at most `reach` above this
  // address, with nothing in between; null: none.
  CallStack* FindAbove(uint64_t address, uint64_t reach) const;
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

  CallStack* TakePlace(uintptr_t state, std::atomic<uint32_t>* next_index);
  Remembered* PlaceOf(uint64_t address);
  void RememberFromHere();

  std::atomic<Block*> first_{nullptr};
  std::atomic<Remembered*> remembered_{nullptr};
  std::atomic<bool> any_inside_others_{false};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CALL_STACKS_H_
