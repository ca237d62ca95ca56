#include "exporter/clock_map.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::kEpoch;

TEST_CASE("ticks between two clock points are interpolated") {
  ClockMap clock;
  clock.SetRate(3'000'000'000);
  clock.AddPoint({1000, kEpoch});
  clock.AddPoint({1000 + 2'000'000'000, kEpoch + 1'000'000'000});
  CHECK(clock.ToUnixNanos(1000) == kEpoch);
  CHECK(clock.ToUnixNanos(1000 + 1'000'000'000) == kEpoch + 500'000'000);
  CHECK(clock.ToUnixNanos(1000 + 2'000'000'000) == kEpoch + 1'000'000'000);
}

TEST_CASE("after the last clock point its slope goes on, before the first one the estimated rate") {
  ClockMap clock;
  clock.SetRate(1'000'000'000);
  clock.AddPoint({1'000'000, kEpoch});
  clock.AddPoint({2'000'000, kEpoch + 500'000});
  CHECK(clock.ToUnixNanos(4'000'000) == kEpoch + 1'500'000);
  CHECK(clock.ToUnixNanos(0) == kEpoch - 1'000'000);
}

TEST_CASE("without clock points the first tick is the process's start") {
  ClockMap clock;
  clock.SetRate(2'000'000'000);
  clock.SetStart(kEpoch);
  CHECK(clock.ToUnixNanos(500) == kEpoch);
  CHECK(clock.ToUnixNanos(2500) == kEpoch + 1000);
}

TEST_CASE("points that repeat earlier ones change nothing") {
  ClockMap clock;
  for (int repeat = 0; repeat < 2; ++repeat) {
    clock.AddPoint({0, kEpoch});
    clock.AddPoint({1000, kEpoch + 1000});
    clock.AddPoint({2000, kEpoch + 3000});
  }
  CHECK(clock.ToUnixNanos(500) == kEpoch + 500);
  CHECK(clock.ToUnixNanos(1500) == kEpoch + 2000);
}

TEST_CASE("a later tick is never converted to an earlier time, whenever points come in") {
  std::mt19937_64 random(GENERATE(range(1, 20)));
  const auto pick = [&](uint64_t limit) { return random() % limit; };
  ClockMap clock;
  clock.SetRate(2'000'000'000);
  uint64_t ticks = 1'000'000'000'000;
  uint64_t nanos = kEpoch;
  std::vector<std::pair<uint64_t, uint64_t>> converted;
  for (int step = 0; step < 300; ++step) {
    // A rate that is up to 1% off the estimate, and sometimes a leap.
    const uint64_t advance = pick(4'000'000'000) + 1;
    ticks += advance;
    nanos += advance / 2 + pick(advance / 200 + 1) + (pick(20) == 0 ? pick(1'000'000'000) : 0);
    clock.AddPoint({ticks, nanos});
    for (int i = 0; i < 20; ++i) {
      const uint64_t at = ticks + pick(3'000'000'000) - pick(3'000'000'000);
      converted.emplace_back(at, clock.ToUnixNanos(at));
    }
  }
  std::stable_sort(converted.begin(), converted.end());
  for (size_t i = 1; i < converted.size(); ++i) {
    REQUIRE(converted[i - 1].second <= converted[i].second);
  }
}

TEST_CASE("a point that arrives late bends the clock without distorting durations") {
  ClockMap clock;
  clock.SetRate(1'000'000'000);
  clock.AddPoint({0, kEpoch});
  const uint64_t before = clock.ToUnixNanos(999'999'000);
  clock.AddPoint({1'000'000'000, kEpoch + 1'000'300'000});  // 300 us ahead of the estimate
  CHECK(clock.ToUnixNanos(999'999'000) == before);
  // A millisecond right after it is a millisecond, to a thousandth.
  const uint64_t millisecond = clock.ToUnixNanos(1'001'000'000) - clock.ToUnixNanos(1'000'000'000);
  CHECK(millisecond >= 999'000);
  CHECK(millisecond <= 1'001'000);
  // And the difference is made up for after a second.
  const auto off =
      static_cast<int64_t>(clock.ToUnixNanos(3'000'000'000) - (kEpoch + 3'000'900'000));
  CHECK(std::abs(off) < 1000);
}

TEST_CASE("a clock that is fed for weeks stays accurate") {
  ClockMap clock;
  clock.SetRate(1'000'000'000);
  uint64_t ticks = 0;
  for (int second = 0; second < 100'000; ++second, ticks += 1'000'000'000) {
    clock.AddPoint({ticks, kEpoch + ticks + ticks / 1'000'000});
    clock.ToUnixNanos(ticks + 1000);
  }
  for (const uint64_t at : {uint64_t{5'000'000'000'000}, ticks}) {
    const auto off = static_cast<int64_t>(clock.ToUnixNanos(at) - (kEpoch + at + at / 1'000'000));
    CHECK(std::abs(off) < 2000);
  }
}

TEST_CASE("absurd clock points neither overflow nor divide by zero") {
  ClockMap clock;
  clock.SetRate(0);
  const uint64_t most = ~uint64_t{0};
  clock.AddPoint({0, 0});
  clock.AddPoint({1, most});
  clock.AddPoint({most, most});
  CHECK(clock.ToUnixNanos(0) == 0);
  CHECK(clock.ToUnixNanos(1) == most);
  CHECK(clock.ToUnixNanos(most) == most);
}

}  // namespace
}  // namespace autotrace::exporter
