#include "runtime/clock.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace autotrace {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// The clock's global state as it was, after each test.
class ClockScope {
 public:
  ClockScope() : saved_(g_clock) {}
  ~ClockScope() { g_clock = saved_; }

 private:
  ClockState saved_;
};

TEST_CASE("ticks and nanoseconds convert into each other") {
  const ClockScope scope;
  g_clock.ticks_per_second = GENERATE(uint64_t{1'000'000'000}, uint64_t{2'999'999'987},
                                      uint64_t{19'200'000}, uint64_t{5'700'000'001});
  const uint64_t tick_nanos = kSecond / g_clock.ticks_per_second + 1;
  for (const uint64_t nanos : {uint64_t{0}, uint64_t{1}, uint64_t{999}, uint64_t{1'000'000},
                               uint64_t{123'456'789'012}, 365 * 86'400 * kSecond}) {
    const uint64_t back = NanosFromTicks(TicksFromNanos(nanos));
    CHECK(back <= nanos);
    CHECK(nanos - back <= tick_nanos);
  }
  for (const uint64_t ticks : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, uint64_t{1} << 48}) {
    const uint64_t back = TicksFromNanos(NanosFromTicks(ticks));
    CHECK(back <= ticks);
    CHECK(ticks - back <= g_clock.ticks_per_second / kSecond + 1);
  }
}

TEST_CASE("a duration that ticks cannot hold is the longest one, not a short one") {
  const ClockScope scope;
  g_clock.ticks_per_second = 5'000'000'000;
  CHECK(TicksFromNanos(~uint64_t{0}) == ~uint64_t{0});
  g_clock.ticks_per_second = 10'000'000;
  CHECK(NanosFromTicks(~uint64_t{0}) == ~uint64_t{0});
}

TEST_CASE("the clock's rate is measured right") {
  const ClockScope scope;
  InitializeClock();
  // Against a second, longer measurement.
  const uint64_t nanos_before = MonotonicNanos();
  const uint64_t ticks_before = Now();
  uint64_t nanos = 0;
  while (nanos < 20'000'000) nanos = MonotonicNanos() - nanos_before;
  const uint64_t ticks = Now() - ticks_before;
  const double measured = double(ticks) / double(nanos) * 1e9;
  // Other programs run on this machine: a switch between two reads of this test's is tolerated.
  CHECK(double(g_clock.ticks_per_second) == Approx(measured).epsilon(0.05));
}

TEST_CASE("the clock runs forward on every thread") {
  const ClockScope scope;
  InitializeClock();
  if (GENERATE(false, true)) g_clock.use_tsc = false;
  std::atomic<int> backward{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      uint64_t last = Now();
      for (int call = 0; call < 200'000; ++call) {
        const uint64_t now = Now();
        if (now < last) ++backward;
        last = now;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(backward == 0);
}

TEST_CASE("clock points never step back, and both clocks of a point agree") {
  const ClockScope scope;
  InitializeClock();
  if (GENERATE(false, true)) {
    g_clock.use_tsc = false;
    g_clock.ticks_per_second = kSecond;
  }
  const format::ClockPoint first = CurrentClockPoint();
  format::ClockPoint last = first;
  for (int i = 0; i < 10'000; ++i) {
    const format::ClockPoint point = CurrentClockPoint();
    REQUIRE(point.ticks >= last.ticks);
    REQUIRE(point.unix_nanos >= last.unix_nanos);
    last = point;
  }
  // The wall clock, as far as nobody sets it during the test.
  timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  const uint64_t wall_nanos = uint64_t(wall.tv_sec) * kSecond + uint64_t(wall.tv_nsec);
  CHECK(double(last.unix_nanos) == Approx(double(wall_nanos)).margin(1e9));
  // The times between two points, by either clock. They are read one after the other, and another
  // program may run in between.
  const double by_ticks = double(NanosFromTicks(last.ticks - first.ticks));
  CHECK(by_ticks == Approx(double(last.unix_nanos - first.unix_nanos)).epsilon(0.05).margin(5e7));
}

}  // namespace
}  // namespace autotrace
