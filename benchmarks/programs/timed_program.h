// main() of the real programs: PROGRAM ROUNDS. Runs RunProgram, which the including file defines,
// and prints one line of JSON: `nanos` of wall clock, `cpu_nanos` of this thread's processor time,
// and the `answer`, which is the same whoever watches.
#ifndef AUTOTRACE_BENCHMARKS_PROGRAMS_TIMED_PROGRAM_H_
#define AUTOTRACE_BENCHMARKS_PROGRAMS_TIMED_PROGRAM_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__clang__)
#define UNTRACED __attribute__((no_instrument_function, xray_never_instrument))
#else
#define UNTRACED __attribute__((no_instrument_function))
#endif

uint64_t RunProgram(int rounds);

UNTRACED inline double ReadClock(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

UNTRACED int main(int argc, char** argv) {
  const int rounds = argc > 1 ? atoi(argv[1]) : 0;
  if (rounds < 1) {
    fprintf(stderr, "usage: %s ROUNDS\n", argv[0]);
    return 2;
  }
  const double cpu_start = ReadClock(CLOCK_THREAD_CPUTIME_ID);
  const double start = ReadClock(CLOCK_MONOTONIC);
  const uint64_t answer = RunProgram(rounds);
  printf("{\"nanos\": %.0f, \"cpu_nanos\": %.0f, \"answer\": %llu}\n",
         ReadClock(CLOCK_MONOTONIC) - start, ReadClock(CLOCK_THREAD_CPUTIME_ID) - cpu_start,
         static_cast<unsigned long long>(answer));
  return 0;
}

#endif  // AUTOTRACE_BENCHMARKS_PROGRAMS_TIMED_PROGRAM_H_
