// A library whose constructor starts a thread and waits for it, which happens under the loader's
// lock when it is opened while the program runs.
#include <pthread.h>

#include "lifetimes.h"
#include "program.h"

namespace lib {

NOINLINE void in_thread() { Touch(); }
UNTRACED static void* Main(void*) {
  in_thread();
  return nullptr;
}
NOINLINE void begins() {
  pthread_t thread;
  pthread_create(&thread, nullptr, Main, nullptr);
  pthread_join(thread, nullptr);
}
NOINLINE void ends() { Touch(); }
NOINLINE void used() { Touch(); }

}  // namespace lib

namespace {

struct Static {
  UNTRACED Static() { lib::begins(); }
  UNTRACED ~Static() { lib::ends(); }
} an_object;

}  // namespace

UNTRACED void library_use() { lib::used(); }

extern "C" NOINLINE int library_resolved() {
  Touch();
  return 7;
}
#ifdef NO_RESOLVER
#define library_by_resolver library_resolved
#else
extern "C" NOINLINE int (*library_resolve())() { return &library_resolved; }
extern "C" int library_by_resolver() __attribute__((ifunc("library_resolve")));
#endif
extern "C" UNTRACED void library_entry() {
  if (library_by_resolver() == 7) library_use();
}
