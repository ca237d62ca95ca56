// Threads open, call and close plugins at the same addresses, each in its own order, while another
// one calls, and signals interrupt them. The n-th thread begins with the n-th plugin.
//
//   plugin_threads THREADS ROUNDS END PLUGIN...
//
// END: "return"; "fork": then a forked child does it; "kill" when the first thread is done.
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "program.h"

static char** plugins;
static int plugin_count;
static bool kills = false;
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
  if (kills) raise(SIGKILL);
}

UNTRACED static void Work() {
  while (!stop) app::work();
}

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const int thread_count = atoi(argv[1]);
  const int rounds = atoi(argv[2]);
  kills = strcmp(argv[3], "kill") == 0;
  plugins = argv + 4;
  plugin_count = argc - 4;
  signal(SIGPROF, app::on_signal);
  const itimerval interval = {{0, 300}, {0, 300}};
  setitimer(ITIMER_PROF, &interval, nullptr);
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) threads.emplace_back(Cycle, rounds, i);
  std::thread worker(Work);
  for (std::thread& thread : threads) thread.join();
  stop = true;
  worker.join();
  int status = 0;
  if (strcmp(argv[3], "fork") == 0) {
    if (fork() == 0) {
      Cycle(rounds, 0);
      exit(0);
    }
    status = 1;
    while (wait(&status) < 0) {
    }
  }
  puts("done");
  return status;
}
