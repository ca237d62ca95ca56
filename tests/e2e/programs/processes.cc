// Ways for a process to begin and end, by its first argument; with a second one it first works for
// as long as the runtime's background thread needs to have looked at what is open.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

namespace app {

NOINLINE void leaf() { Touch(); }

NOINLINE void finish(const char* how, bool late) {
  leaf();
  if (late) BusyFor(400'000'000);
  fflush(stdout);
  if (strcmp(how, "exit") == 0) exit(7);
  if (strcmp(how, "_exit") == 0) _exit(7);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  Touch();
}

NOINLINE void in_child() {
  leaf();
  Touch();
}

NOINLINE void fork_and_wait() {
  leaf();
  const pid_t child = fork();
  if (child == 0) {
    in_child();
    exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  leaf();
  if (status != 0) exit(1);
}

NOINLINE void on_signal(int) { leaf(); }

NOINLINE void interrupted() {
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  leaf();
}

NOINLINE void run(const char* how, bool late) {
  if (strcmp(how, "fork") == 0) {
    fork_and_wait();
  } else if (strcmp(how, "signal") == 0) {
    interrupted();
  } else {
    finish(how, late);
  }
  Touch();
}

}  // namespace app

int main(int argc, char** argv) {
  puts("begun");
  fflush(stdout);
  app::run(argv[1], argc > 2);
  puts("done");
  return 0;
}
