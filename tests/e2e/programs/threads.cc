// As many threads as its argument says, each with a call tree of its own and a name.
#include <pthread.h>
#include <stdlib.h>

#include <thread>
#include <vector>

#include "program.h"

namespace app {

NOINLINE void part() { Touch(); }
NOINLINE void work() {
  for (int i = 0; i < 2; ++i) part();
  Touch();
}

}  // namespace app

int main(int, char** argv) {
  std::vector<std::thread> threads;
  for (int i = 0; i < atoi(argv[1]); ++i) {
    threads.emplace_back([] {
      pthread_setname_np(pthread_self(), "worker");
      app::work();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}
