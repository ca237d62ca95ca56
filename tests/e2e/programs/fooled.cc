// Stacks that nobody can tell apart: switched between by hand, and lying inside of the thread's own
// stack or too close to one another, or used again after their fiber was given up.
#include <stdio.h>
#include <stdlib.h>

#include "hand_switched.h"

namespace app {

NOINLINE void step() { Touch(); }
NOINLINE void deeper() {
  step();
  Fiber::Yield();
  step();
}
NOINLINE void produce(void*) {
  deeper();
  step();
}
NOINLINE void next(Fiber* fiber) {
  fiber->Resume();
  Touch();
}

NOINLINE void inside() {
  char stack[64 << 10];
  Fiber fiber(produce, nullptr, stack, sizeof(stack));
  next(&fiber);
  step();
  next(&fiber);
}
NOINLINE void close_together() {
  constexpr size_t kSize = 4 << 10;
  char* stacks = static_cast<char*>(malloc(2 * kSize));
  Fiber upper(produce, nullptr, stacks + kSize, kSize);
  Fiber lower(produce, nullptr, stacks, kSize);
  next(&upper);
  next(&lower);
  next(&upper);
  next(&lower);
}
NOINLINE void used_again() {
  constexpr size_t kSize = 32 << 10;
  char* stack = static_cast<char*>(malloc(kSize));
  Fiber given_up(produce, nullptr, stack, kSize);
  next(&given_up);
  Fiber another(produce, nullptr, stack, kSize - 1024);
  next(&another);
  next(&another);
}
NOINLINE void run() {
  inside();
  close_together();
  used_again();
}

}  // namespace app

UNTRACED int main() {
  for (int i = 0; i < 3; ++i) app::run();
  puts("done");
  return 0;
}
