/* What the call workloads share: main(), threads, and clocks. A workload is a C file that defines
 * loop(), a traced function that makes about so many calls below itself and returns how many, and
 * includes this file last.
 *
 * usage: WORKLOAD CALLS [THREADS]
 *
 * The calls are parted among the threads, and each thread makes its share in bursts, one loop()
 * each. Prints one line of JSON: `calls` made, loop() itself included; `nanos_per_call`, the mean;
 * `typical`, the same of the median burst, which a busy machine disturbs less; and `cpu_nanos`, the
 * processor time of these threads while they made the calls. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__clang__)
#define UNTRACED __attribute__((no_instrument_function, xray_never_instrument))
#else
#define UNTRACED __attribute__((no_instrument_function))
#endif

enum { kMostBursts = 1000, kLeastCallsInBurst = 4096, kMostThreads = 64 };

struct share {
  pthread_t thread;
  unsigned long wanted; /* calls */
  unsigned long made;
  double nanos;
  double cpu_nanos;
  unsigned long bursts;
  double nanos_per_call[kMostBursts]; /* of each burst */
};

UNTRACED static double read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

UNTRACED static void* run_share(void* argument) {
  struct share* share = argument;
  share->bursts = share->wanted / kLeastCallsInBurst;
  if (share->bursts < 1) share->bursts = 1;
  if (share->bursts > kMostBursts) share->bursts = kMostBursts;
  const double cpu_start = read_clock(CLOCK_THREAD_CPUTIME_ID);
  double before = read_clock(CLOCK_MONOTONIC);
  for (unsigned long burst = 0; burst < share->bursts; ++burst) {
    const unsigned long made = loop(share->wanted / share->bursts) + 1;
    const double after = read_clock(CLOCK_MONOTONIC);
    share->nanos_per_call[burst] = (after - before) / (double)made;
    share->made += made;
    share->nanos += after - before;
    before = after;
  }
  share->cpu_nanos = read_clock(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
  return NULL;
}

UNTRACED static int compare(const void* left, const void* right) {
  const double difference = *(const double*)left - *(const double*)right;
  return (difference > 0) - (difference < 0);
}

UNTRACED static double median_burst(struct share* share) {
  qsort(share->nanos_per_call, share->bursts, sizeof(double), compare);
  return share->nanos_per_call[share->bursts / 2];
}

/* Of a tracer that has to be told (xray_recording.c). */
extern void start_recording(void) __attribute__((weak));
extern void write_recording(void) __attribute__((weak));

UNTRACED int main(int argc, char** argv) {
  static struct share shares[kMostThreads];
  const unsigned long calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
  const int threads = argc > 2 ? atoi(argv[2]) : 1;
  if (calls == 0 || threads < 1 || threads > kMostThreads) {
    fprintf(stderr, "usage: %s CALLS [THREADS, at most %d]\n", argv[0], kMostThreads);
    return 2;
  }
  if (start_recording != NULL) start_recording();
  for (int i = 0; i < threads; ++i) shares[i].wanted = calls / (unsigned long)threads;
  for (int i = 1; i < threads; ++i) {
    if (pthread_create(&shares[i].thread, NULL, run_share, &shares[i]) != 0) return 1;
  }
  run_share(&shares[0]);
  for (int i = 1; i < threads; ++i) pthread_join(shares[i].thread, NULL);

  unsigned long made = 0;
  double nanos_per_call = 0;
  double typical = 0;
  double cpu_nanos = 0;
  for (int i = 0; i < threads; ++i) {
    made += shares[i].made;
    nanos_per_call += shares[i].nanos / (double)shares[i].made / threads;
    typical += median_burst(&shares[i]) / threads;
    cpu_nanos += shares[i].cpu_nanos;
  }
  printf("{\"calls\": %lu, \"nanos_per_call\": %.3f, \"typical\": %.3f, \"cpu_nanos\": %.0f}\n",
         made, nanos_per_call, typical, cpu_nanos);
  if (write_recording != NULL) write_recording();
  return 0;
}
