// A timer interrupts the program every few microseconds, in and between hooks; the handler calls
// functions itself, on the stack that the argument says: "normal" or "alternate".
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "program.h"

static volatile sig_atomic_t ticks = 0;

UNTRACED static void EveryMicroseconds(int microseconds) {
  itimerval timer = {};
  timer.it_interval.tv_usec = timer.it_value.tv_usec = microseconds;
  setitimer(ITIMER_REAL, &timer, nullptr);
}

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE void work() {
  for (int i = 0; i < 10; ++i) leaf();
}
NOINLINE void tick_part() { Touch(); }
NOINLINE void on_tick(int) {
  ticks = ticks + 1;
  tick_part();
}
NOINLINE void run(int rounds, int wanted_ticks) {
  EveryMicroseconds(40);
  for (int i = 0; i < rounds; ++i) work();
  // On a machine that is busy, until there were some.
  while (ticks < wanted_ticks) BusyFor(1000);
  EveryMicroseconds(0);
}

}  // namespace app

UNTRACED int main(int, char** arguments) {
  struct sigaction action = {};
  action.sa_handler = app::on_tick;
  action.sa_flags = SA_RESTART;
  if (strcmp(arguments[1], "alternate") == 0) {
    stack_t stack = {};
    stack.ss_size = 64 << 10;
    stack.ss_sp = malloc(stack.ss_size);
    sigaltstack(&stack, nullptr);
    action.sa_flags |= SA_ONSTACK;
  }
  sigaction(SIGALRM, &action, nullptr);
  app::run(atoi(arguments[2]), 50);
  printf("%d\n", static_cast<int>(ticks));
  return 0;
}
