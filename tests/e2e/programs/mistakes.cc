// Uses memory after giving it back, and loses some.
#include <stdlib.h>

#include "program.h"

namespace app {

volatile char sink;

NOINLINE void reads_what_was_freed() {
  char* volatile memory = static_cast<char*>(malloc(10));
  free(memory);
  sink = memory[5];
}

NOINLINE void loses() {
  void* volatile memory = malloc(100);
  memory = nullptr;
}

NOINLINE void run() {
  reads_what_was_freed();
  loses();
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
