#include "exporter/clock_map.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <utility>
#include <vector>

#include "runtime/clock_lines.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::kEpoch;

TEST_CASE("a line holds from its beginning to the next one's") {
  ClockMap clock;
  clock.Add({1000, kEpoch, 1, 2});
  clock.Add({2000, kEpoch + 500, 3, 1});
  CHECK(clock.ToUnixNanos(1000) == kEpoch);
  CHECK(clock.ToUnixNanos(1999) == kEpoch + 499);
  CHECK(clock.ToUnixNanos(2000) == kEpoch + 500);
  CHECK(clock.ToUnixNanos(2010) == kEpoch + 530);
}

TEST_CASE("the first line holds before its beginning as well, the last one for ever") {
  ClockMap clock;
  clock.Add({1'000'000, kEpoch, 1, 1});
  clock.Add({2'000'000, kEpoch + 1'000'000, 1, 2});
  CHECK(clock.ToUnixNanos(0) == kEpoch - 1'000'000);
  CHECK(clock.ToUnixNanos(4'000'000) == kEpoch + 2'000'000);
}

TEST_CASE("without lines the first tick is the process's start") {
  ClockMap clock;
  clock.SetRate(2'000'000'000);
  clock.SetStart(kEpoch);
  CHECK(clock.ToUnixNanos(500) == kEpoch);
  CHECK(clock.ToUnixNanos(2500) == kEpoch + 1000);
}

TEST_CASE("lines that repeat earlier ones change nothing") {
  ClockMap clock;
  for (int repeat = 0; repeat < 2; ++repeat) {
    clock.Add({0, kEpoch, 1, 1});
    clock.Add({1000, kEpoch + 1000, 2, 1});
    clock.Add({2000, kEpoch + 3000, 1, 1});
  }
  CHECK(clock.ToUnixNanos(500) == kEpoch + 500);
  CHECK(clock.ToUnixNanos(1500) == kEpoch + 2000);
}

TEST_CASE("a later tick is never converted to an earlier time, whatever the lines") {
  std::mt19937_64 random(GENERATE(range(1, 20)));
  const auto pick = [&](uint64_t limit) { return random() % limit; };
  ClockMap clock;
  for (int i = 0; i < 300; ++i) {
    clock.Add({pick(1'000'000), kEpoch + pick(1'000'000), pick(5), pick(5)});
  }
  std::vector<std::pair<uint64_t, uint64_t>> converted;
  for (int i = 0; i < 3000; ++i) {
    const uint64_t at = pick(1'100'000);
    converted.emplace_back(at, clock.ToUnixNanos(at));
  }
  std::sort(converted.begin(), converted.end());
  for (size_t i = 1; i < converted.size(); ++i) {
    REQUIRE(converted[i - 1].second <= converted[i].second);
  }
}

TEST_CASE(
    "who gets the lines one by one, all at once, or only the last ones finds the same times") {
  std::mt19937_64 random(GENERATE(range(1, 20)));
  const auto pick = [&](uint64_t limit) { return random() % limit; };
  ClockLines writer(2'000'000'000);
  ClockMap live;
  std::vector<format::ClockLine> lines;
  std::vector<std::pair<uint64_t, uint64_t>> converted;
  format::ClockPoint now = {1'000'000'000'000, kEpoch};
  for (int step = 0; step < 200; ++step) {
    const uint64_t begin = now.ticks;
    lines.push_back(writer.Next(now));
    live.Add(lines.back());
    // A rate that is up to 1% off the estimate, and sometimes a leap.
    const uint64_t advance = pick(4'000'000'000) + 1;
    now.ticks += advance;
    now.unix_nanos += advance / 2 + pick(advance / 200 + 1);
    if (pick(20) == 0) now.unix_nanos += pick(1'000'000'000);
    // What is given away before the next line began after this one, as far as it matters here.
    for (int i = 0; i < 10; ++i) {
      const uint64_t at = begin + pick(advance);
      converted.emplace_back(at, live.ToUnixNanos(at));
    }
  }
  ClockMap whole;
  for (const format::ClockLine& line : lines) whole.Add(line);
  ClockMap rest;
  for (size_t i = 150; i < lines.size(); ++i) rest.Add(lines[i]);
  for (const auto& [ticks, nanos] : converted) {
    REQUIRE(whole.ToUnixNanos(ticks) == nanos);
    if (ticks >= lines[150].ticks) REQUIRE(rest.ToUnixNanos(ticks) == nanos);
  }
}

TEST_CASE("a clock that is fed for weeks stays accurate") {
  ClockMap clock;
  uint64_t ticks = 0;
  for (int second = 0; second < 100'000; ++second, ticks += 1'000'000'000) {
    clock.Add({ticks, kEpoch + ticks + ticks / 1'000'000, 1'000'001, 1'000'000});
  }
  for (const uint64_t at : {uint64_t{5'000'000'000'000}, ticks}) {
    const auto off = static_cast<int64_t>(clock.ToUnixNanos(at) - (kEpoch + at + at / 1'000'000));
    CHECK(std::abs(off) < 2000);
  }
}

TEST_CASE("absurd lines neither overflow nor divide by zero") {
  ClockMap clock;
  clock.SetRate(0);
  const uint64_t most = ~uint64_t{0};
  clock.Add({0, 0, most, 0});
  clock.Add({1, most, most, 1});
  clock.Add({most, most, most, most});
  CHECK(clock.ToUnixNanos(0) == 0);
  CHECK(clock.ToUnixNanos(1) == most);
  CHECK(clock.ToUnixNanos(most) == most);
}

}  // namespace
}  // namespace autotrace::exporter
