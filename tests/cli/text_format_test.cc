#include "cli/text_format.h"

#include <catch2/catch.hpp>

#include "cli/strings.h"

namespace autotrace::cli {
namespace {

TEST_CASE("durations have three significant digits and a unit") {
  CHECK(HumanDuration(0) == "0 ns");
  CHECK(HumanDuration(812) == "812 ns");
  CHECK(HumanDuration(1000) == "1.00 µs");
  CHECK(HumanDuration(4838) == "4.84 µs");
  CHECK(HumanDuration(41'249) == "41.2 µs");
  CHECK(HumanDuration(999'499) == "999 µs");
  CHECK(HumanDuration(999'500) == "1.00 ms");
  CHECK(HumanDuration(41'200'000) == "41.2 ms");
  CHECK(HumanDuration(1'500'000'000) == "1.50 s");
  CHECK(HumanDuration(59'940'000'000) == "59.9 s");
  CHECK(HumanDuration(59'960'000'000) == "1m 00s");
  CHECK(HumanDuration(123'400'000'000) == "2m 03s");
  CHECK(HumanDuration(3'720'000'000'000) == "1h 02m");
}

TEST_CASE("counts and sizes are readable") {
  CHECK(HumanCount(0) == "0");
  CHECK(HumanCount(999) == "999");
  CHECK(HumanCount(1000) == "1,000");
  CHECK(HumanCount(1'234'567) == "1,234,567");
  CHECK(HumanBytes(1023) == "1023 B");
  CHECK(HumanBytes(1536) == "1.5 KiB");
  CHECK(HumanBytes(12 << 20) == "12 MiB");
  CHECK(HumanBytes((uint64_t{1} << 20) - 1) == "1.0 MiB");
  CHECK(Counted(1, "span") == "1 span");
  CHECK(Counted(2, "process") == "2 processes");
}

TEST_CASE("control characters and broken UTF-8 cannot reach the terminal") {
  CHECK(Printable("a::b<int>") == "a::b<int>");
  CHECK(Printable("Größe 数") == "Größe 数");
  CHECK(Printable("a\x1b[31mb") == "a\\x1b[31mb");
  CHECK(Printable("a\nb\tc") == "a\\nb\\tc");
  CHECK(Printable("\xc3") == "\\xc3");
  CHECK(Printable("\xc2\x9b") == "\\xc2\\x9b");
  CHECK(Printable("\xff\xfe") == "\\xff\\xfe");
}

TEST_CASE("cut text is exactly as wide as allowed") {
  CHECK(CutMiddle("abcdefghij", 10) == "abcdefghij");
  CHECK(CutMiddle("abcdefghij", 7) == "ab…ghij");
  CHECK(CutEnd("abcdefghij", 4) == "abc…");
  CHECK(CutEnd("ääääää", 3) == "ää…");
  CHECK(DisplayWidth(CutMiddle("ääääääääää", 7)) == 7);
  CHECK(CutMiddle("abc", 0).empty());
}

TEST_CASE("text is split and put together") {
  CHECK(Split(" a  b ", " ") == std::vector<std::string_view>{"a", "b"});
  CHECK(Split("", ",").empty());
  CHECK(Strip(" \ta b\n") == "a b");
  CHECK(Strip("  ").empty());
  CHECK(ReplaceAll("$a$", "$", "$$") == "$$a$$");
  CHECK(Concat("run ", 12, ": ", std::string("x")) == "run 12: x");
  uint64_t number = 0;
  CHECK(ParseNumber("120", &number));
  CHECK(number == 120);
  CHECK_FALSE(ParseNumber("12x", &number));
  CHECK_FALSE(ParseNumber("", &number));
}

}  // namespace
}  // namespace autotrace::cli
