// Calls as many functions as its argument says, of those that many_functions.s makes: each 64 bytes
// long, one after the other.
#include <stdio.h>
#include <stdlib.h>

#include "program.h"

extern "C" void function_0();

namespace app {

NOINLINE void run(int count) {
  const char* function = reinterpret_cast<const char*>(&function_0);
  for (int i = 0; i < count; ++i, function += 64) {
    reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(function))();
  }
}

}  // namespace app

UNTRACED int main(int, char** arguments) {
  app::run(atoi(arguments[1]));
  puts("done");
  return 0;
}
