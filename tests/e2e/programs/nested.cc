// Nested calls; prints a line and ends with the status given as its argument.
#include <stdio.h>
#include <stdlib.h>

#include "program.h"

namespace app {

NOINLINE void leaf() { Touch(); }
NOINLINE void step(int leaves) {
  for (int i = 0; i < leaves; ++i) leaf();
  Touch();
}
NOINLINE void run() {
  for (int i = 0; i < 3; ++i) step(i);
  Touch();
}

}  // namespace app

int main(int argc, char** argv) {
  app::run();
  puts("done");
  return argc > 1 ? atoi(argv[1]) : 0;
}
