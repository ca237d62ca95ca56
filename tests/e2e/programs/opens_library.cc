// Opens the libraries named as its arguments one after the other, calls library_entry in each, and
// closes it before the next.
#include <dlfcn.h>
#include <stdio.h>

#include "program.h"

namespace app {

NOINLINE int use(const char* path) {
  void* const library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  reinterpret_cast<void (*)()>(dlsym(library, "library_entry"))();
  dlclose(library);
  return 0;
}

}  // namespace app

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (app::use(argv[i]) != 0) return 1;
  }
  puts("done");
  return 0;
}
