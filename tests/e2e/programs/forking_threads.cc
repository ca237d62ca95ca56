// Threads fork while others work: each child does something, one of them forks again or starts a
// thread itself. "daemon": becomes one.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "program.h"

static std::atomic<bool> stop{false};

UNTRACED static void Wait(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) != child) {
  }
  if (status != 0) exit(1);
}

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE void in_grandchild() { leaf(); }
NOINLINE void in_childs_thread() { leaf(); }
NOINLINE void in_child() {
  leaf();
  std::thread(in_childs_thread).join();
  const pid_t child = fork();
  if (child == 0) {
    in_grandchild();
    exit(0);
  }
  Wait(child);
}
NOINLINE void forks() {
  leaf();
  const pid_t child = fork();
  if (child == 0) {
    in_child();
    exit(0);
  }
  Wait(child);
  leaf();
}
NOINLINE void works() {
  while (!stop) free(malloc(100));
}
NOINLINE void run() {
  std::thread working(works);
  for (int i = 0; i < 3; ++i) std::thread(forks).join();
  std::vector<std::thread> forking;
  for (int i = 0; i < 3; ++i) forking.emplace_back(forks);
  for (std::thread& thread : forking) thread.join();
  stop = true;
  working.join();
}

NOINLINE void serves() { leaf(); }
NOINLINE void becomes_daemon() {
  leaf();
  if (daemon(1, 1) != 0) exit(1);
  serves();
}

}  // namespace app

UNTRACED int main(int count, char** arguments) {
  if (count > 1 && strcmp(arguments[1], "daemon") == 0) {
    app::becomes_daemon();
  } else {
    app::run();
  }
  puts("done");
  return 0;
}
