// Opens a library in its own namespace beside the program's one, and calls both.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "program.h"

UNTRACED static void* Checked(void* library) {
  if (library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return library;
}

namespace app {

NOINLINE void use(void* library) {
  reinterpret_cast<void (*)(void (*)())>(dlsym(library, "plugin_run"))(nullptr);
  Touch();
}

}  // namespace app

int main(int, char** argv) {
  void* const first = Checked(dlopen(argv[1], RTLD_NOW));
  void* const second = Checked(dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW));
  if (dlsym(first, "plugin_run") == dlsym(second, "plugin_run")) return 3;
  for (int round = 0; round < 2; ++round) {
    app::use(first);
    app::use(second);
  }
  dlclose(second);
  app::use(first);
  dlclose(first);
  puts("done");
  return 0;
}
