// Says that it is ready deep in a tree, and goes on when it gets a line.
#include <stdio.h>

#include <stdexcept>
#include <thread>

#include "program.h"

namespace app {

NOINLINE void part() { Touch(); }

NOINLINE void waits() {
  part();
  puts("ready");
  fflush(stdout);
  getchar();
  part();
}

NOINLINE void fails() { throw std::runtime_error("after it all"); }

NOINLINE void run() {
  std::thread other(part);
  other.join();
  waits();
  try {
    fails();
  } catch (const std::runtime_error& error) {
    puts(error.what());
  }
}

}  // namespace app

int main() {
  app::run();
  return 6;
}
