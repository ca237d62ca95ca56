// Calls functions and throws before main, as early and as late as a program can.
#include <stdio.h>

#include <stdexcept>

#include "program.h"

namespace app {

NOINLINE void fails() { throw std::runtime_error("early"); }

NOINLINE void tries(const char* when) {
  try {
    fails();
  } catch (const std::runtime_error&) {
    puts(when);
  }
}

struct Global {
  explicit Global(const char* when) { tries(when); }
  ~Global() { tries("destructor"); }
};
__attribute__((init_priority(102))) const Global first("first constructor");
const Global usual("constructor");

}  // namespace app

int main() {
  app::tries("main");
  return 0;
}
