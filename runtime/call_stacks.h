// The machine stacks that threads switch between, and the calls that are open on each:
// makecontext's and those that the program announces (autotrace/c_api.h). A thread's own stack is
// not among them; its recorder has it.
//
// A stack in use lends its open calls to the recorder of the thread that runs on it; the program's
// own synchronisation, without which it could not hand the stack on, orders what threads do with
// it. Traced threads: no lock, no allocation but raw mappings that are kept for later stacks.
#ifndef AUTOTRACE_RUNTIME_CALL_STACKS_H_
#define AUTOTRACE_RUNTIME_CALL_STACKS_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "runtime/outer_parent.h"
#include "runtime/shadow_stack.h"

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
};

struct CallStack {
  OpenCalls calls;     // while no thread runs on it
  uint32_t index = 0;  // as a thread index, for what is open on it in the end
  uint64_t tid = 0;    // of the thread that ran on it last

  // Of CallStacks. A place is free while `low` is 0, and nothing lies in it while `high` is.
  std::atomic<uint64_t> low{0};
  std::atomic<uint64_t> high{0};

  bool Contains(uint64_t address) const {
    const uint64_t begin = low.load(std::memory_order_acquire);
    return begin != 0 && address >= begin && address < high.load(std::memory_order_acquire);
  }
};

class CallStacks {
 public:
  // Are there any? Until the first one is added everything else can be spared.
  bool any() const { return first_.load(std::memory_order_relaxed) != nullptr; }

  // The one that this address lies in, or null. Looks at each.
  CallStack* Find(uint64_t address) const;

  // Adds [low, high), or finds it. Null without memory.
  CallStack* Add(uint64_t low, uint64_t high, std::atomic<uint32_t>* next_index);

  // No longer a stack of the program's; the place is used again. Its calls have been ended.
  static void Remove(CallStack* stack) {
    stack->high.store(0, std::memory_order_release);
    stack->low.store(0, std::memory_order_release);
  }

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (Block* block = first_.load(std::memory_order_acquire); block != nullptr;
         block = block->next) {
      for (CallStack& stack : block->stacks) {
        if (stack.low.load(std::memory_order_acquire) != 0) visit(&stack);
      }
    }
  }

 private:
  static constexpr size_t kBlockStacks = 30;
  struct Block {
    Block* next = nullptr;
    CallStack stacks[kBlockStacks];
  };

  static bool Claim(CallStack* stack, uint64_t low, uint64_t high);

  std::atomic<Block*> first_{nullptr};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CALL_STACKS_H_
