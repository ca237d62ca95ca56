// Boost.Context's fibers, with their stacks announced unless UNANNOUNCED is defined: two fibers
// that take turns, one of them resumed by another thread, too, and one that is given up in its
// middle.
#include <stdio.h>

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <thread>
#include <utility>

#include <autotrace/c_api.h>

#include "program.h"

#ifdef UNANNOUNCED
#define autotrace_stack_created(low, size)
#define autotrace_stack_switched()
#define autotrace_stack_destroyed(low)
#endif

namespace context = boost::context;

// What a program that has fibers has to do: say which stacks there are.
class AnnouncedStack {
 public:
  UNTRACED context::stack_context allocate() {
    context::stack_context stack = stacks_.allocate();
    autotrace_stack_created(static_cast<char*>(stack.sp) - stack.size, stack.size);
    return stack;
  }
  UNTRACED void deallocate(context::stack_context& stack) {
    autotrace_stack_destroyed(static_cast<char*>(stack.sp) - stack.size);
    stacks_.deallocate(stack);
  }

 private:
  context::fixedsize_stack stacks_;
};

// And when a switch was made.
UNTRACED static context::fiber Resume(context::fiber fiber) {
  fiber = std::move(fiber).resume();
  autotrace_stack_switched();
  return fiber;
}

namespace app {

NOINLINE void step() { Touch(); }
NOINLINE context::fiber body(context::fiber caller) {
  for (int i = 0; i < 3; ++i) {
    step();
    caller = Resume(std::move(caller));
  }
  return caller;
}
NOINLINE context::fiber turn(context::fiber fiber) {
  fiber = Resume(std::move(fiber));
  Touch();
  return fiber;
}
NOINLINE void in_thread(context::fiber* fiber) { *fiber = turn(std::move(*fiber)); }

UNTRACED static context::fiber Start(context::fiber caller) {
  autotrace_stack_switched();
  return body(std::move(caller));
}

NOINLINE void run() {
  context::fiber first(std::allocator_arg, AnnouncedStack(), Start);
  context::fiber second(std::allocator_arg, AnnouncedStack(), Start);
  first = turn(std::move(first));
  second = turn(std::move(second));
  first = turn(std::move(first));
  std::thread(in_thread, &first).join();
  first = turn(std::move(first));
  puts(first ? "more" : "ended");
}

}  // namespace app

UNTRACED int main() {
  app::run();
  return 0;
}
