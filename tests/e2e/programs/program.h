// What the test programs share: none of it leaves a span.
#ifndef AUTOTRACE_TESTS_E2E_PROGRAMS_PROGRAM_H_
#define AUTOTRACE_TESTS_E2E_PROGRAMS_PROGRAM_H_

#include <stdint.h>
#include <time.h>

// Calls of such a function are calls at every optimisation level.
#define NOINLINE __attribute__((noinline))
#define UNTRACED __attribute__((no_instrument_function))

// Keeps a function's body from being optimised away.
UNTRACED static inline void Touch(void) { __asm__ volatile("" ::: "memory"); }

// Works until this much time has passed. Tests that need a slow call use it instead of sleeping,
// so that the time is the call's own.
UNTRACED static inline void BusyFor(uint64_t nanoseconds) {
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((uint64_t)(now.tv_sec - begin.tv_sec) * 1000000000u + (uint64_t)now.tv_nsec -
               (uint64_t)begin.tv_nsec <
           nanoseconds);
}

#endif  // AUTOTRACE_TESTS_E2E_PROGRAMS_PROGRAM_H_
