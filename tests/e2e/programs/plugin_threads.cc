// Three threads open, call and close plugins at the same addresses, each in its own order, while a
// fourth one calls, and signals interrupt them. Then a forked child does it.
//
//   plugin_threads ROUNDS PLUGIN...
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "program.h"

static char** plugins;
static int plugin_count;
static std::atomic<bool> stop{false};

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE void work() {
  leaf();
  Touch();
}
NOINLINE void on_signal(int) { leaf(); }

}  // namespace app

UNTRACED static void Cycle(int rounds, int offset) {
  for (int round = 0; round < rounds; ++round) {
    void* const library = dlopen(plugins[(round + offset) % plugin_count], RTLD_NOW);
    if (library == nullptr) {
      fprintf(stderr, "%s\n", dlerror());
      _exit(1);
    }
    reinterpret_cast<void (*)(void (*)())>(dlsym(library, "plugin_run"))(nullptr);
    dlclose(library);
  }
}

UNTRACED static void Work() {
  while (!stop) app::work();
}

int main(int argc, char** argv) {
  const int rounds = atoi(argv[1]);
  plugins = argv + 2;
  plugin_count = argc - 2;
  signal(SIGPROF, app::on_signal);
  const itimerval interval = {{0, 300}, {0, 300}};
  setitimer(ITIMER_PROF, &interval, nullptr);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(Cycle, rounds, i);
  std::thread worker(Work);
  for (std::thread& thread : threads) thread.join();
  stop = true;
  worker.join();
  if (fork() == 0) {
    Cycle(rounds, 0);
    exit(0);
  }
  int status = 1;
  while (wait(&status) < 0) {
  }
  puts("done");
  return status;
}
