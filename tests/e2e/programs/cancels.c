// Threads that are cancelled at any moment, in hooks too ("asynchronous"), or where they wait
// ("deferred"); each cleans up. In C: a C++ program that is cancelled between two calls ends, since
// its functions have something to do when they are left, and no way to.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

static int asynchronous = 0;
static atomic_int busy = 0;

NOINLINE void leaf(void) { Touch(); }
NOINLINE void cleans_up(void* unused) {
  (void)unused;
  Touch();
}
NOINLINE void is_busy(void) {
  pthread_cleanup_push(cleans_up, NULL);
  busy = 1;
  for (;;) {
    leaf();
    if (!asynchronous) usleep(100);
  }
  pthread_cleanup_pop(0);
}
NOINLINE void in_thread(void) {
  is_busy();
  Touch();
}
NOINLINE void run(void) { Touch(); }

UNTRACED static void* Main(void* unused) {
  (void)unused;
  if (asynchronous) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  in_thread();
  return NULL;
}

UNTRACED int main(int count, char** arguments) {
  if (count < 3) return 2;
  asynchronous = strcmp(arguments[1], "asynchronous") == 0;
  for (int i = 0; i < atoi(arguments[2]); ++i) {
    busy = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, Main, NULL);
    while (!busy) usleep(10);
    BusyFor((uint64_t)i * 97 % 5000);
    pthread_cancel(thread);
    void* result = NULL;
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) return 1;
  }
  run();
  puts("done");
  return 0;
}
