// Tasks that share the memory but are no threads of the C library, as the first argument says:
// "waits": the parent is stopped meanwhile; "beside": both run. They have no thread-local memory of
// their own.
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "program.h"

static std::atomic<int> ended{0};

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE void in_task() {
  for (int i = 0; i < 100; ++i) leaf();
}
NOINLINE void beside() {
  for (int i = 0; i < 100; ++i) leaf();
}
UNTRACED static int Task(void*) {
  in_task();
  ++ended;
  return 0;
}
NOINLINE void clones(int flags) {
  constexpr size_t kSize = 256 << 10;
  char* stack = static_cast<char*>(malloc(kSize));
  const pid_t task = clone(Task, stack + kSize, CLONE_VM | SIGCHLD | flags, nullptr);
  if (task < 0) exit(1);
  beside();
  int status = 0;
  while (waitpid(task, &status, 0) != task) {
  }
  if (status != 0 || ended != 1) exit(1);
  ended = 0;
}
NOINLINE void run(int flags) {
  for (int i = 0; i < 20; ++i) clones(flags);
}

}  // namespace app

UNTRACED int main(int, char** arguments) {
  app::run(strcmp(arguments[1], "waits") == 0 ? CLONE_VFORK : 0);
  puts("done");
  return 4;
}
