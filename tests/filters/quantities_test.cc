#include "filters/quantities.h"

#include <stdint.h>

#include <catch2/catch.hpp>
#include <string>

namespace autotrace::filters {
namespace {

uint64_t Duration(const char* text) {
  uint64_t nanoseconds = 0;
  std::string error;
  INFO(text << ": " << error);
  REQUIRE(ParseDuration(text, &nanoseconds, &error));
  return nanoseconds;
}

std::string DurationError(const char* text) {
  uint64_t nanoseconds = 77;
  std::string error;
  INFO(text);
  REQUIRE_FALSE(ParseDuration(text, &nanoseconds, &error));
  CHECK(nanoseconds == 77);
  return error;
}

uint64_t Size(const char* text) {
  uint64_t bytes = 0;
  std::string error;
  INFO(text << ": " << error);
  REQUIRE(ParseSize(text, &bytes, &error));
  return bytes;
}

std::string SizeError(const char* text) {
  uint64_t bytes = 0;
  std::string error;
  INFO(text);
  REQUIRE_FALSE(ParseSize(text, &bytes, &error));
  return error;
}

TEST_CASE("durations are read with their unit", "[quantities]") {
  CHECK(Duration("250ns") == 250);
  CHECK(Duration("10us") == 10'000);
  CHECK(Duration("10\u00b5s") == 10'000);
  CHECK(Duration("1.5ms") == 1'500'000);
  CHECK(Duration("2s") == 2'000'000'000);
  CHECK(Duration("2 s") == 2'000'000'000);
  CHECK(Duration(".5s") == 500'000'000);
  CHECK(Duration("0") == 0);
  CHECK(Duration("0.0") == 0);
  CHECK(Duration("0ms") == 0);
  CHECK(Duration("1.000000001s") == 1'000'000'001);
  CHECK(Duration("0.1ns") == 1);  // up: zero would mean no threshold
  CHECK(Duration("0.0000000000000000001s") == 1);
  CHECK(Duration("18446744073s") == 18'446'744'073'000'000'000u);
}

TEST_CASE("a duration that cannot be read says what to write", "[quantities]") {
  CHECK(DurationError("0.5") ==
        "found \"0.5\", expected a duration with a unit: write 0.5s or 500ms");
  CHECK(DurationError("5") == "found \"5\", expected a duration with a unit: write 5s or 5ms");
  CHECK(DurationError("5min") == "found \"5min\", expected one of the units ns, us, ms and s");
  CHECK(DurationError("1e3s") == "found \"1e3s\", expected one of the units ns, us, ms and s");
  const std::string example = ", expected a duration such as 250ns, 10us, 1.5ms, 2s or 0";
  CHECK(DurationError("") == "found \"\"" + example);
  CHECK(DurationError("ms") == "found \"ms\"" + example);
  CHECK(DurationError("-1s") == "found \"-1s\"" + example);
  CHECK(DurationError(".") == "found \".\"" + example);
  CHECK(DurationError("18446744074s") ==
        "found \"18446744074s\", expected a duration below 584 years");
  CHECK(DurationError("99999999999999999999999999999999999999999999999ns") ==
        "found \"99999999999999999999999999999999999999999999999ns\", expected a duration below "
        "584 years");
}

TEST_CASE("durations are written in their largest unit and read back the same", "[quantities]") {
  CHECK(FormatDuration(0) == "0");
  CHECK(FormatDuration(250) == "250ns");
  CHECK(FormatDuration(1'500'000) == "1.5ms");
  CHECK(FormatDuration(10'000) == "10us");
  CHECK(FormatDuration(2'000'000'000) == "2s");
  CHECK(FormatDuration(1'000'000'001) == "1.000000001s");
  CHECK(FormatDuration(1'020) == "1.02us");
  for (uint64_t value : {uint64_t{1}, uint64_t{999}, uint64_t{1'234'567}, uint64_t{59'999'999'999},
                         UINT64_MAX, UINT64_MAX / 3}) {
    CHECK(Duration(FormatDuration(value).c_str()) == value);
  }
}

TEST_CASE("sizes are read with their unit and read back the same", "[quantities]") {
  CHECK(Size("1GiB") == uint64_t{1} << 30);
  CHECK(Size("500MiB") == uint64_t{500} << 20);
  CHECK(Size("1.5 KiB") == 1536);
  CHECK(Size("2MB") == 2'000'000);
  CHECK(Size("64kB") == 64'000);
  CHECK(Size("512B") == 512);
  CHECK(Size("0") == 0);
  CHECK(FormatSize(uint64_t{1} << 30) == "1GiB");
  CHECK(FormatSize(1536) == "1536B");
  CHECK(FormatSize(0) == "0");
  for (uint64_t value : {uint64_t{1}, uint64_t{1} << 41, uint64_t{3} << 20, UINT64_MAX}) {
    CHECK(Size(FormatSize(value).c_str()) == value);
  }
}

TEST_CASE("a size that cannot be read says what to write", "[quantities]") {
  CHECK(SizeError("500") == "found \"500\", expected a size with a unit: write 500MiB or 500GiB");
  CHECK(SizeError("5gb") == "found \"5gb\", expected one of the units B, KiB, MiB, GiB and TiB");
  CHECK(SizeError("much") == "found \"much\", expected a size such as 500MiB or 1GiB");
  CHECK(SizeError("99999999999TiB") == "found \"99999999999TiB\", expected a size below 16EiB");
}

TEST_CASE("whole numbers stop at their maximum", "[quantities]") {
  uint64_t number = 0;
  CHECK(ParseWholeNumber("10", 10, &number));
  CHECK(number == 10);
  CHECK_FALSE(ParseWholeNumber("11", 10, &number));
  CHECK_FALSE(ParseWholeNumber("7", 5, &number));
  CHECK_FALSE(ParseWholeNumber("", 10, &number));
  CHECK_FALSE(ParseWholeNumber("-1", 10, &number));
  CHECK_FALSE(ParseWholeNumber("1.0", 10, &number));
  CHECK(ParseWholeNumber("18446744073709551615", UINT64_MAX, &number));
  CHECK(number == UINT64_MAX);
  CHECK_FALSE(ParseWholeNumber("18446744073709551616", UINT64_MAX, &number));
}

}  // namespace
}  // namespace autotrace::filters
