// Threads that are cancelled at any moment while they call functions for the first time, which the
// tracer must decide about.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "program.h"

// 1024 functions, of which each thread calls its own 32.
#define ONE(number) \
  NOINLINE void first_##number(void) { Touch(); }
#define FOUR(all, number) all(number##0) all(number##1) all(number##2) all(number##3)
#define SIXTEEN(all, number) \
  FOUR(all, number##0) FOUR(all, number##1) FOUR(all, number##2) FOUR(all, number##3)
#define SIXTY_FOUR(all, number) \
  SIXTEEN(all, number##0) SIXTEEN(all, number##1) SIXTEEN(all, number##2) SIXTEEN(all, number##3)
// (Formatting this comes to another result each time.)
// clang-format off
#define EACH(all) \
  SIXTY_FOUR(all, 0) SIXTY_FOUR(all, 1) SIXTY_FOUR(all, 2) SIXTY_FOUR(all, 3) \
  SIXTY_FOUR(all, 4) SIXTY_FOUR(all, 5) SIXTY_FOUR(all, 6) SIXTY_FOUR(all, 7) \
  SIXTY_FOUR(all, 8) SIXTY_FOUR(all, 9) SIXTY_FOUR(all, a) SIXTY_FOUR(all, b) \
  SIXTY_FOUR(all, c) SIXTY_FOUR(all, d) SIXTY_FOUR(all, e) SIXTY_FOUR(all, f)
// clang-format on
EACH(ONE)
#define NAME(number) first_##number,
static void (*const functions[])(void) = {EACH(NAME)};

enum { kPerThread = 32, kThreads = sizeof(functions) / sizeof(functions[0]) / kPerThread };

static atomic_int busy = 0;

UNTRACED static void* Main(void* own) {
  void (*const* function)(void) = own;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  busy = 1;
  for (int i = 0; i < kPerThread; ++i) function[i]();
  for (;;) Touch();
}

NOINLINE void run(void) { Touch(); }

UNTRACED int main(void) {
  for (int i = 0; i < kThreads; ++i) {
    busy = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, Main, (void*)(functions + i * kPerThread));
    while (!busy) Touch();
    BusyFor((uint64_t)i * 3000);
    pthread_cancel(thread);
    void* result = NULL;
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) return 1;
  }
  // What was being decided is decided now, by whoever asks.
  for (int i = 0; i < kThreads * kPerThread; ++i) functions[i]();
  run();
  puts("done");
  return 0;
}
