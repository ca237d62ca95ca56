// A timer's handler that jumps out of whatever it interrupted, mostly hooks, and one that calls
// traced functions there.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "program.h"

namespace app {

sigjmp_buf target;
volatile sig_atomic_t signals = 0;
volatile sig_atomic_t armed = 0;

NOINLINE void leaf() { Touch(); }
NOINLINE void in_handler() { leaf(); }
NOINLINE void busy() {
  for (;;) leaf();
}
NOINLINE void after_all() {
  leaf();
  leaf();
}
NOINLINE void run() {
  while (signals < 200) {
    if (sigsetjmp(target, 1) == 0) {
      armed = 1;
      busy();
    }
  }
  const itimerval off = {};
  setitimer(ITIMER_REAL, &off, nullptr);
  after_all();
}

}  // namespace app

UNTRACED static void OnTimer(int) {
  if (!app::armed) return;
  app::armed = 0;
  app::signals = app::signals + 1;
  app::in_handler();
  siglongjmp(app::target, 1);
}

UNTRACED int main() {
  signal(SIGALRM, OnTimer);
  const itimerval often = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &often, nullptr);
  app::run();
  puts("done");
  return 0;
}
