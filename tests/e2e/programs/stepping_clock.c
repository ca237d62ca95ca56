// To be preloaded: the wall clock is wrong by an hour more each time that it is asked, forward and
// back.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

static atomic_long asked;

int clock_gettime(clockid_t clock, struct timespec* now) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, now);
  if (clock == CLOCK_REALTIME) {
    const long count = atomic_fetch_add(&asked, 1) + 1;
    now->tv_sec += count * (count % 2 == 0 ? 3600 : -3600);
  }
  return result;
}
