// As many threads as its first argument says, each with a few calls: "in-turn", eight at a time, or
// "at-once", all alive together. Prints its memory in KiB, as the kernel counts it: the most that
// it had, and what it has four seconds after the last thread has ended.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline))
#define UNTRACED __attribute__((no_instrument_function))

namespace app {

NOINLINE void leaf() { __asm__ volatile("" ::: "memory"); }
NOINLINE void in_thread(pthread_barrier_t* barrier) {
  for (int i = 0; i < 4; ++i) leaf();
  if (barrier != nullptr) pthread_barrier_wait(barrier);
}

}  // namespace app

namespace {

UNTRACED long KibFrom(const char* field) {
  FILE* file = fopen("/proc/self/status", "re");
  char line[128];
  long kib = -1;
  while (fgets(line, sizeof(line), file) != nullptr) {
    if (strncmp(line, field, strlen(field)) == 0) kib = atol(line + strlen(field));
  }
  fclose(file);
  return kib;
}

UNTRACED void Run(unsigned count, pthread_barrier_t* barrier) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) threads.emplace_back(app::in_thread, barrier);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

UNTRACED int main(int, char** arguments) {
  const auto threads = static_cast<unsigned>(atoi(arguments[1]));
  if (strcmp(arguments[2], "at-once") == 0) {
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, threads);
    Run(threads, &barrier);
  } else {
    for (unsigned i = 0; i < threads; i += 8) Run(8, nullptr);
  }
  usleep(4'000'000);
  printf("%ld %ld\n", KibFrom("VmHWM:"), KibFrom("VmRSS:"));
  return 0;
}
