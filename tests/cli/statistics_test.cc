#include "cli/statistics.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace autotrace::cli {
namespace {

TEST_CASE("few values have exact percentiles by nearest rank") {
  Statistics statistics;
  for (uint64_t value = 100; value >= 1; --value) statistics.Add(value);
  CHECK(statistics.count() == 100);
  CHECK(statistics.sum() == 5050);
  CHECK(statistics.mean() == 50);
  CHECK(statistics.min() == 1);
  CHECK(statistics.max() == 100);
  CHECK(statistics.Percentile(50) == 50);
  CHECK(statistics.Percentile(99) == 99);
  CHECK(statistics.Percentile(100) == 100);
  CHECK(statistics.Percentile(0) == 1);
}

TEST_CASE("values may be added after a percentile was asked for") {
  Statistics statistics;
  statistics.Add(30);
  statistics.Add(10);
  CHECK(statistics.Percentile(50) == 10);
  statistics.Add(5);
  CHECK(statistics.Percentile(50) == 10);
  CHECK(statistics.Percentile(1) == 5);
}

TEST_CASE("no values give zeros") {
  const Statistics statistics;
  CHECK(statistics.count() == 0);
  CHECK(statistics.min() == 0);
  CHECK(statistics.mean() == 0);
  CHECK(statistics.Percentile(99) == 0);
}

TEST_CASE("many values have percentiles within one percent") {
  std::mt19937_64 random(20260801);
  std::lognormal_distribution<double> durations(10, 3);
  std::vector<uint64_t> values;
  Statistics statistics;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t value = static_cast<uint64_t>(durations(random));
    values.push_back(value);
    statistics.Add(value);
  }
  std::sort(values.begin(), values.end());
  CHECK(statistics.min() == values.front());
  CHECK(statistics.max() == values.back());
  for (const double percent : {0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * 200'000));
    const auto exact = static_cast<double>(values[rank - 1]);
    CAPTURE(percent, exact);
    CHECK(std::abs(static_cast<double>(statistics.Percentile(percent)) - exact) <= exact * 0.01);
  }
}

TEST_CASE("the largest values fit into the histogram") {
  Statistics statistics;
  for (size_t i = 0; i <= Statistics::kExactSamples; ++i) statistics.Add(~uint64_t{0} - i);
  CHECK(statistics.max() == ~uint64_t{0});
  CHECK(statistics.Percentile(50) >= ~uint64_t{0} - Statistics::kExactSamples);
}

}  // namespace
}  // namespace autotrace::cli
