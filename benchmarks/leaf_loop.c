/* Calls one small function so many times on each of so many threads and prints nanoseconds per
 * call: leaf_loop CALLS [THREADS]. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define UNTRACED __attribute__((no_instrument_function))

static unsigned long calls = 30000000;

__attribute__((noinline)) unsigned long leaf(unsigned long value) {
  __asm__ volatile("" : "+r"(value));
  return value * 3 + 1;
}

UNTRACED static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Traced itself, so that the calls are children of one root, as in most programs. */
__attribute__((noinline)) static unsigned long loop(unsigned long count) {
  unsigned long value = 1;
  for (unsigned long i = 0; i < count; ++i) value = leaf(value);
  return value;
}

UNTRACED static void* run(void* result) {
  const double start = now();
  const unsigned long value = loop(calls);
  *(double*)result = (now() - start) / (double)calls;
  return (void*)value;
}

UNTRACED int main(int argc, char** argv) {
  if (argc > 1) calls = strtoul(argv[1], NULL, 10);
  int threads = argc > 2 ? atoi(argv[2]) : 1;
  if (calls == 0 || threads < 1 || threads > 64) {
    fprintf(stderr, "usage: leaf_loop CALLS [THREADS, at most 64]\n");
    return 2;
  }
  pthread_t ids[64];
  double nanos[64] = {0};
  for (int i = 1; i < threads; ++i) pthread_create(&ids[i], NULL, run, &nanos[i]);
  run(&nanos[0]);
  for (int i = 1; i < threads; ++i) pthread_join(ids[i], NULL);
  double sum = 0;
  for (int i = 0; i < threads; ++i) sum += nanos[i];
  printf("%.2f\n", sum / threads);
  return 0;
}
