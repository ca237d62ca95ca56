// The recorder's clock: the processor's time stamp counter where it is invariant, else
// CLOCK_MONOTONIC nanoseconds. Both count up at a constant rate and are the same on all cores.
// A tick is one unit of either.
#ifndef AUTOTRACE_RUNTIME_CLOCK_H_
#define AUTOTRACE_RUNTIME_CLOCK_H_

#include <stdint.h>
#include <time.h>

#include "runtime/trace_format.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {

struct ClockState {
  bool use_tsc = false;
  // The program has forbidden itself the time stamp counter, which the vDSO reads, too.
  bool ask_kernel = false;
  uint64_t ticks_per_second = 1'000'000'000;
  uint64_t start_unix_nanos = 0;       // wall clock at start
  uint64_t start_monotonic_nanos = 0;  // CLOCK_MONOTONIC at the same moment
};
extern ClockState g_clock;

// Chooses the clock and estimates its rate. Once, before threads trace. The estimate needs two
// looks some 0.2 ms apart: the second one waits for what is left of that time.
void ChooseClock();
void EstimateClockRate();
inline void InitializeClock() {
  ChooseClock();
  EstimateClockRate();
}

// Nanoseconds. Async-signal-safe; no system call where the vDSO serves it.
inline uint64_t ClockNanos(clockid_t clock) {
  timespec now;
  if (__builtin_expect(g_clock.ask_kernel, 0)) {
    raw::Syscall(SYS_clock_gettime, clock, reinterpret_cast<long>(&now));
  } else {
    clock_gettime(clock, &now);
  }
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}
inline uint64_t MonotonicNanos() { return ClockNanos(CLOCK_MONOTONIC); }
// The wall clock, which may step.
inline uint64_t UnixNanos() { return ClockNanos(CLOCK_REALTIME); }

// Is reading the clock one instruction?
inline bool ClockIsFast() { return g_clock.use_tsc; }

// Only when ClockIsFast().
inline uint64_t FastNow() {
#ifdef __x86_64__
  return __builtin_ia32_rdtsc();
#else
  return 0;
#endif
}

// Traced threads: some 10 to 30 nanoseconds.
inline uint64_t Now() { return ClockIsFast() ? FastNow() : MonotonicNanos(); }

// The present moment on both clocks. unix_nanos never steps: it is the wall clock at start plus the
// monotonic time since.
format::ClockPoint CurrentClockPoint();

// What does not fit becomes the largest value.
uint64_t TicksFromNanos(uint64_t nanos);
uint64_t NanosFromTicks(uint64_t ticks);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CLOCK_H_
