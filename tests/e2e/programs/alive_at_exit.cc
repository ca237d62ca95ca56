// Threads that nobody waits for go on while the program ends, as its argument says: "return" from
// main, or "thread": another thread calls exit().
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "program.h"

static std::atomic<int> looping{0};

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE void turns() {
  leaf();
  leaf();
  BusyFor(20'000);
}
NOINLINE void loops() {
  turns();
  ++looping;
  for (;;) turns();
}
NOINLINE void ends() {
  puts("done");
  exit(3);
}
NOINLINE void run() {
  for (int i = 0; i < 3; ++i) std::thread(loops).detach();
  while (looping < 3) usleep(100);
  usleep(2000);
}

}  // namespace app

UNTRACED int main(int, char** arguments) {
  app::run();
  if (strcmp(arguments[1], "thread") == 0) {
    std::thread(app::ends).detach();
    for (;;) pause();
  }
  puts("done");
  return 3;
}
