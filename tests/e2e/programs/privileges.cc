// Says with whose rights it runs, and whether the kernel says that its environment is not its own.
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "program.h"

namespace app {

NOINLINE void run() {
  printf("uid %d euid %d egid %d secure %lu\n", static_cast<int>(getuid()),
         static_cast<int>(geteuid()), static_cast<int>(getegid()), getauxval(AT_SECURE));
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
