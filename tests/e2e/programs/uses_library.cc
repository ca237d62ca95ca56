// A program that links the library.
#include <stdio.h>

#include "library.h"
#include "program.h"

namespace app {

NOINLINE void answer() { Touch(); }
NOINLINE void run() {
  for (int i = 0; i < 2; ++i) lib::serve(answer);
  Touch();
}

}  // namespace app

int main() {
  app::run();
  puts("done");
  return 0;
}
