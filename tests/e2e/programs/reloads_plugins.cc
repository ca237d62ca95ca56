// Opens plugins one after the other, each where the one before it was, calls them, and closes them.
//
//   reloads_plugins ROUNDS MILLISECONDS END PLUGIN...
//
// In every round, every plugin: dlopen, call, dlclose, a pause. Exit status 3 when one was not
// loaded at the address of the first, because then a test would show nothing. END: "return"; "kill"
// or "kill-late" while the last plugin calls back; "slow-first": the first call takes 30 ms.
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

UNTRACED static uint64_t AddressOf(void* library) {
  return static_cast<link_map*>(library)->l_addr;
}

UNTRACED static void Die() { raise(SIGKILL); }
UNTRACED static void TakeLong() { BusyFor(30'000'000); }
UNTRACED static void DieLate() {
  usleep(500'000);
  Die();
}

namespace app {

NOINLINE void answer() { Touch(); }

NOINLINE uint64_t use(const char* path, void (*callback)()) {
  void* const library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  const uint64_t address = AddressOf(library);
  reinterpret_cast<void (*)(void (*)())>(dlsym(library, "plugin_run"))(callback);
  if (dlclose(library) != 0) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return address;
}

}  // namespace app

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const int rounds = atoi(argv[1]);
  const auto pause = static_cast<useconds_t>(atoi(argv[2])) * 1000;
  const bool late = strcmp(argv[3], "kill-late") == 0;
  const bool kill = late || strcmp(argv[3], "kill") == 0;
  const bool slow_first = strcmp(argv[3], "slow-first") == 0;
  uint64_t first_address = 0;
  for (int round = 1; round <= rounds; ++round) {
    for (int i = 4; i < argc; ++i) {
      const bool last = kill && round == rounds && i == argc - 1;
      const bool slow = slow_first && round == 1;
      void (*const callback)() = slow ? TakeLong : !last ? app::answer : late ? DieLate : Die;
      const uint64_t address = app::use(argv[i], callback);
      if (first_address == 0) first_address = address;
      if (address != first_address) {
        fprintf(stderr, "%s is at %#lx, the first one was at %#lx\n", argv[i],
                static_cast<unsigned long>(address), static_cast<unsigned long>(first_address));
        return 3;
      }
      if (pause > 0) usleep(pause);
    }
  }
  puts("done");
  return 0;
}
