// Forks in ways that run no atfork handlers, as the first argument says; with "threads" as the
// second one, while another thread works. A child that "exec"s runs this program as "child".
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "program.h"

static const char* how = "";
static const char* self = "";
static std::atomic<bool> stop{false};

UNTRACED static bool Is(const char* word) { return strcmp(how, word) == 0; }

// What sandboxes do: no function of the C library is called.
UNTRACED static pid_t ForkByHand() {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_clone), "D"(SIGCHLD), "S"(0), "d"(0)
                   : "rcx", "r11", "memory");
  return static_cast<pid_t>(result);
}

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE int in_child() {
  leaf();
  leaf();
  return 5;
}

UNTRACED static int InClone(void*) {
  const int status = in_child();
  _exit(status);
}

UNTRACED static void Child() {
  if (Is("exec")) {
    execl(self, self, "child", nullptr);
    _exit(1);
  }
  _exit(in_child());
}

UNTRACED static pid_t Fork() {
  static char stack[256 << 10];
  if (Is("_Fork")) return _Fork();
  if (Is("clone")) return clone(InClone, stack + sizeof(stack), SIGCHLD, nullptr);
  if (Is("clone3")) {
    clone_args arguments = {};
    arguments.exit_signal = SIGCHLD;
    return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
  }
  if (Is("by hand")) return ForkByHand();
  return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

NOINLINE void forks() {
  leaf();
  const pid_t child = Fork();
  if (child == 0) Child();
  int status = 0;
  while (waitpid(child, &status, 0) != child) {
  }
  leaf();
  printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}
NOINLINE void run() {
  forks();
  leaf();
}
NOINLINE void works() {
  while (!stop) free(malloc(100));
}

}  // namespace app

UNTRACED static void* Works(void*) {
  app::works();
  return nullptr;
}

UNTRACED int main(int count, char** arguments) {
  how = arguments[1];
  self = arguments[0];
  // What is not of our doing stays as it was.
  errno = 0;
  if (syscall(SYS_close, -1) != -1 || errno != EBADF || syscall(SYS_getpid) != getpid()) return 1;
  if (Is("child")) return app::in_child();
  pthread_t thread;
  const bool threads = count > 2;
  if (threads) pthread_create(&thread, nullptr, Works, nullptr);
  app::run();
  stop = true;
  if (threads) pthread_join(thread, nullptr);
  return 0;
}
