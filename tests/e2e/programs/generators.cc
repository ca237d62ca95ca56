// Generators on stacks of their own, by ucontext: resumed from different callers, abandoned, and
// one whose function returns through uc_link.
#include <stdio.h>
#include <ucontext.h>

#include <vector>

#include "program.h"

namespace app {

ucontext_t caller;
ucontext_t generator;
int value = 0;

NOINLINE void step() { Touch(); }
NOINLINE void deeper() {
  step();
  // Away in the middle of a tree, and back.
  swapcontext(&generator, &caller);
  step();
}
NOINLINE void produce() {
  for (value = 1; value <= 2; ++value) deeper();
  step();
}
NOINLINE void next() {
  swapcontext(&caller, &generator);
  Touch();
}
NOINLINE void other_caller() {
  next();
  Touch();
}
NOINLINE void run() {
  next();
  other_caller();
  next();
  step();
}

}  // namespace app

UNTRACED int main() {
  static char stack[64 << 10];
  for (int round = 0; round < 2; ++round) {
    getcontext(&app::generator);
    app::generator.uc_stack.ss_sp = stack;
    app::generator.uc_stack.ss_size = sizeof(stack);
    app::generator.uc_link = &app::caller;
    makecontext(&app::generator, app::produce, 0);
    app::run();
    printf("%d\n", app::value);
  }
  return 0;
}
