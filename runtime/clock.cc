#include "runtime/clock.h"

#include <sys/prctl.h>
#include <unistd.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace autotrace {

ClockState g_clock;

namespace {

// An interval of at least this gives the rate to about 1 in 10,000, enough for thresholds; readers
// get exact points later (kClock blocks).
constexpr uint64_t kCalibrationNanos = 200'000;

#ifdef __x86_64__
bool TscIsForbidden() {
  int mode = PR_TSC_ENABLE;
  return prctl(PR_GET_TSC, &mode) == 0 && mode != PR_TSC_ENABLE;
}

bool TscIsInvariant() {
  // Invariant TSC: Intel SDM volume 3, section 18.17.1; CPUID.80000007H:EDX[8].
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
}
#endif

struct Moment {
  uint64_t ticks;
  uint64_t nanos;
};

// One moment on both clocks: the closest of a few pairs, since the thread may lose the processor
// between two reads.
Moment ReadBothClocks() {
  Moment closest = {};
  uint64_t smallest_gap = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const uint64_t before = FastNow();
    const uint64_t nanos = MonotonicNanos();
    const uint64_t gap = FastNow() - before;
    if (gap >= smallest_gap) continue;
    smallest_gap = gap;
    closest = {before + gap / 2, nanos};
  }
  return closest;
}

// When the clock was chosen; no ticks: CLOCK_MONOTONIC was.
Moment first_look;

uint64_t Saturated(unsigned __int128 value) {
  return value > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(value);
}

}  // namespace

void ChooseClock() {
  g_clock.use_tsc = false;
  g_clock.ticks_per_second = 1'000'000'000;
  first_look = {};
#ifdef __x86_64__
  g_clock.ask_kernel = TscIsForbidden();
  if (!g_clock.ask_kernel && TscIsInvariant()) first_look = ReadBothClocks();
#endif
}

void EstimateClockRate() {
  if (first_look.ticks != 0) {
    while (MonotonicNanos() - first_look.nanos < kCalibrationNanos) {
    }
    const Moment last = ReadBothClocks();
    g_clock.ticks_per_second =
        static_cast<uint64_t>(static_cast<unsigned __int128>(last.ticks - first_look.ticks) *
                              1'000'000'000u / (last.nanos - first_look.nanos));
    g_clock.use_tsc = g_clock.ticks_per_second > 1'000'000;
  }
  g_clock.start_unix_nanos = UnixNanos();
  g_clock.start_monotonic_nanos = MonotonicNanos();
}

format::ClockPoint CurrentClockPoint() {
  Moment now = {0, 0};
  if (g_clock.use_tsc) {
    now = ReadBothClocks();
  } else {
    now.ticks = now.nanos = MonotonicNanos();
  }
  return {now.ticks, g_clock.start_unix_nanos + (now.nanos - g_clock.start_monotonic_nanos)};
}

uint64_t TicksFromNanos(uint64_t nanos) {
  return Saturated(static_cast<unsigned __int128>(nanos) * g_clock.ticks_per_second /
                   1'000'000'000u);
}

uint64_t NanosFromTicks(uint64_t ticks) {
  return Saturated(static_cast<unsigned __int128>(ticks) * 1'000'000'000u /
                   g_clock.ticks_per_second);
}

}  // namespace autotrace
