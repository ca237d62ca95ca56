// Answers requests from two threads, each with the same calls, until its standard input ends; says
// how many, and how many went wrong. "paused": whoever runs it says that it begins without tracing.
#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include <autotrace/autotrace.h>

#include "program.h"

namespace storage {

NOINLINE int read(int key) {
  Touch();
  return key * 2;
}

}  // namespace storage

namespace app {

NOINLINE int parse(int key) {
  Touch();
  return key + 1;
}

NOINLINE int request(int key) {
  autotrace::Span span("by hand");
  return storage::read(parse(key));
}

NOINLINE int slow(int key) {
  BusyFor(3'000'000);
  return key;
}

}  // namespace app

UNTRACED int main() {
  std::atomic<bool> done{false};
  std::atomic<int> answered{0};
  std::atomic<int> wrong{0};
  const auto serve = [&]() __attribute__((no_instrument_function)) {
    for (int key = 0; !done.load(); ++key) {
      if (app::request(key) != (key + 1) * 2) ++wrong;
      if (key % 100 == 0) app::slow(key);
      ++answered;
      usleep(500);
    }
  };
  std::thread one(serve);
  std::thread two(serve);
  puts("ready");
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  done = true;
  one.join();
  two.join();
  printf("answered %d wrong %d\n", answered.load(), wrong.load());
}
