// The lines that the writer draws from ticks to wall-clock time.
#include "runtime/clock_lines.h"

#include <stdlib.h>

#include <catch2/catch.hpp>

namespace autotrace::test {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kEpoch = 1'785'542'400'000'000'000;

// A clock of 1 GHz whose estimate is 100 millionths off: what 0.2 ms of calibration can give.
constexpr uint64_t kEstimate = 1'000'100'000;

int64_t Off(const format::ClockLine& line, uint64_t ticks) {
  return static_cast<int64_t>(UnixNanosAt(line, ticks) - (kEpoch + ticks));
}

TEST_CASE("each line begins where the one before it has come to") {
  ClockLines lines(kEstimate);
  format::ClockLine line = lines.Next({0, kEpoch});
  for (uint64_t ticks = 7; ticks < 1000 * kSecond; ticks += ticks / 3 + 1) {
    const uint64_t reached = UnixNanosAt(line, ticks);
    line = lines.Next({ticks, kEpoch + ticks + ticks % 1000});
    REQUIRE(line.ticks == ticks);
    REQUIRE(line.unix_nanos == reached);
  }
}

TEST_CASE("a rough estimate of the rate is made up for in the first tenth of a second") {
  ClockLines lines(kEstimate);
  format::ClockLine line = lines.Next({0, kEpoch});
  for (uint64_t ticks = 1'000'000; ticks < 10 * kSecond; ticks += 1'000'000) {
    // A millionth is what two reads of both clocks can be apart in the first 10 ms.
    if (ticks > kSecond / 10) REQUIRE(abs(Off(line, ticks)) < 100);
    REQUIRE(abs(Off(line, ticks)) < 1200);
    if (lines.IsDue(ticks)) line = lines.Next({ticks, kEpoch + ticks});
  }
}

TEST_CASE("lines are short in a young process, and never longer than 16 seconds") {
  ClockLines lines(kSecond);
  CHECK(lines.IsDue(5));
  lines.Next({0, kEpoch});
  uint64_t ticks = 0;
  uint64_t count = 0;
  uint64_t last = 0;
  uint64_t longest = 0;
  for (; ticks < 24 * 3600 * kSecond; ticks += kSecond / 100) {
    if (!lines.IsDue(ticks)) continue;
    longest = std::max(longest, ticks - last);
    last = ticks;
    lines.Next({ticks, kEpoch + ticks});
    ++count;
  }
  CHECK(longest == 16 * kSecond);
  CHECK(count < 9000);  // of a day
}

TEST_CASE("a leap of the wall clock is walked to, not jumped to") {
  ClockLines lines(kSecond);
  format::ClockLine line = {};
  for (uint64_t ticks = 0; ticks <= 100 * kSecond; ticks += kSecond) {
    line = lines.Next({ticks, kEpoch + ticks});
  }
  const int64_t leap = GENERATE(-5'000'000, 5'000'000);
  for (uint64_t ticks = 101 * kSecond; ticks <= 105 * kSecond; ticks += kSecond) {
    CHECK(UnixNanosAt(line, ticks - 1) <= UnixNanosAt(line, ticks));
    line = lines.Next({ticks, kEpoch + ticks + static_cast<uint64_t>(leap)});
  }
  CHECK(abs(Off(line, 106 * kSecond) - leap) < 1000);
}

}  // namespace
}  // namespace autotrace::test
