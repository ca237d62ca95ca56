// Makes the mistakes that its arguments name: uses memory after giving it back ("read"), loses some
// ("lose"), lets two threads change one variable at once ("race"), lets a number overflow
// ("overflow").
#include <stdlib.h>
#include <string.h>

#include <thread>

#include "program.h"

namespace app {

volatile char sink;
int shared;

NOINLINE void reads_what_was_freed() {
  char* volatile memory = static_cast<char*>(malloc(10));
  free(memory);
  sink = memory[5];
}

NOINLINE void loses() {
  void* volatile memory = malloc(100);
  memory = nullptr;
}

NOINLINE void changes() {
  for (int i = 0; i < 1000; ++i) ++shared;
}

NOINLINE void races() {
  std::thread other(changes);
  changes();
  other.join();
}

NOINLINE void overflows() {
  volatile int large = 0x7fffffff;
  large = large + 1;
}

NOINLINE void run(const char* mistake) {
  if (strcmp(mistake, "read") == 0) reads_what_was_freed();
  if (strcmp(mistake, "lose") == 0) loses();
  if (strcmp(mistake, "race") == 0) races();
  if (strcmp(mistake, "overflow") == 0) overflows();
}

}  // namespace app

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) app::run(argv[i]);
  return 0;
}
