// Code that runs before main and after it, and at the ends of threads.
#include "lifetimes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <thread>

#include "program.h"

namespace app {

NOINLINE void before_all() { Touch(); }
NOINLINE void static_begins() { Touch(); }
NOINLINE void static_ends() { Touch(); }
NOINLINE void thread_local_ends() { Touch(); }
NOINLINE void key_ends() { Touch(); }
NOINLINE void at_exit() { Touch(); }
NOINLINE void in_thread() { Touch(); }

}  // namespace app

namespace {

struct Static {
  UNTRACED Static() { app::static_begins(); }
  UNTRACED ~Static() { app::static_ends(); }
} an_object;

struct OfThread {
  UNTRACED OfThread() {}
  UNTRACED ~OfThread() { app::thread_local_ends(); }
  int use = 0;
};
thread_local OfThread of_thread;

UNTRACED void KeyEnds(void*) { app::key_ends(); }

// Before every constructor, the runtime's included.
UNTRACED void Preinit(int, char**, char**) { app::before_all(); }
__attribute__((section(".preinit_array"), used)) void (*const preinit)(int, char**,
                                                                       char**) = &Preinit;

}  // namespace

extern "C" NOINLINE int resolved() {
  Touch();
  return 7;
}
#ifdef NO_RESOLVER  // Clang 14 does not get along with one under link-time optimisation
#define by_resolver resolved
#else
// Called while the program is being relocated.
extern "C" NOINLINE int (*resolve())() { return &resolved; }
extern "C" int by_resolver() __attribute__((ifunc("resolve")));
#endif

UNTRACED static void AtExit() { app::at_exit(); }
UNTRACED static void Thread(pthread_key_t key) {
  of_thread.use = 1;
  pthread_setspecific(key, &of_thread);
  app::in_thread();
}

UNTRACED int main() {
  pthread_key_t key;
  pthread_key_create(&key, KeyEnds);
  atexit(AtExit);
  std::thread(Thread, key).join();
  of_thread.use = 1;
  library_use();
  printf("%d\n", by_resolver());
  return 0;
}
