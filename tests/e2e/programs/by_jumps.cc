// Coroutines as emulators have them: a context from makecontext to begin on, and jumps from then
// on.
#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>

#include "program.h"

static ucontext_t caller_context, coroutine_context;
static sigjmp_buf caller, coroutine;
static bool begun = false;

UNTRACED static void Yield() {
  if (sigsetjmp(coroutine, 0) == 0) siglongjmp(caller, 1);
}

namespace app {

NOINLINE void step() { Touch(); }
NOINLINE void deeper() {
  step();
  Yield();
  step();
}
NOINLINE void produce() {
  deeper();
  deeper();
}
NOINLINE void next() {
  if (sigsetjmp(caller, 0) == 0) {
    if (begun) siglongjmp(coroutine, 1);
    begun = true;
    swapcontext(&caller_context, &coroutine_context);
  }
  Touch();
}
NOINLINE void other() { next(); }
NOINLINE void run() {
  next();
  step();
  other();
  next();
}

UNTRACED void Begin() {
  produce();
  siglongjmp(caller, 1);
}

}  // namespace app

UNTRACED int main() {
  static char stack[64 << 10];
  getcontext(&coroutine_context);
  coroutine_context.uc_stack.ss_sp = stack;
  coroutine_context.uc_stack.ss_size = sizeof(stack);
  makecontext(&coroutine_context, app::Begin, 0);
  app::run();
  puts("done");
  return 0;
}
