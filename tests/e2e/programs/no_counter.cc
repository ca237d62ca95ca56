// Linked to another program: forbids it to read the time stamp counter, as some sandboxes do,
// before anything else runs. (The loader reads it itself, so that it cannot be forbidden before.)
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "program.h"

// (The C library does not know the environment yet.)
UNTRACED static void ForbidCounter(int, char**, char** environment) {
  if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0) _exit(77);
  for (; *environment != nullptr; ++environment) {
    if (strcmp(*environment, "TRY_COUNTER=1") == 0) _exit(__builtin_ia32_rdtsc() != 0 ? 0 : 1);
  }
}
__attribute__((section(".preinit_array"),
               used)) void (*const forbid_counter)(int, char**, char**) = &ForbidCounter;
