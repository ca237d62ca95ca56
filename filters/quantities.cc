#include "filters/quantities.h"

#include <stddef.h>

#include <array>
#include <limits>

#include "filters/message_text.h"

namespace autotrace::filters {
namespace {

__extension__ typedef unsigned __int128 Wide;

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit kDurationUnits[] = {{"ns", 1},          {"us", 1'000},
                                   {"\u00b5s", 1'000},  // micro sign
                                   {"\u03bcs", 1'000},  // Greek mu
                                   {"ms", 1'000'000},  {"s", 1'000'000'000}};
constexpr Unit kSizeUnits[] = {{"B", 1},
                               {"KiB", uint64_t{1} << 10},
                               {"MiB", uint64_t{1} << 20},
                               {"GiB", uint64_t{1} << 30},
                               {"TiB", uint64_t{1} << 40},
                               {"kB", 1'000},
                               {"KB", 1'000},
                               {"MB", 1'000'000},
                               {"GB", 1'000'000'000},
                               {"TB", 1'000'000'000'000}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "12.5" taken apart; what follows the number is its unit.
struct Decimal {
  std::string_view text;      // "12.5"
  std::string_view whole;     // "12"
  std::string_view fraction;  // "5"
  std::string_view unit;

  bool valid() const { return !whole.empty() || !fraction.empty(); }
  bool zero() const { return text.find_first_not_of("0.") == text.npos; }
};

Decimal TakeApart(std::string_view text) {
  Decimal decimal;
  size_t at = 0;
  while (at < text.size() && IsDigit(text[at])) ++at;
  decimal.whole = text.substr(0, at);
  if (at < text.size() && text[at] == '.') {
    const size_t begin = ++at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    decimal.fraction = text.substr(begin, at - begin);
  }
  decimal.text = text.substr(0, at);
  while (at < text.size() && text[at] == ' ') ++at;
  decimal.unit = text.substr(at);
  return decimal;
}

// decimal * factor, rounded up. False when it does not fit.
bool Scale(const Decimal& decimal, uint64_t factor, uint64_t* result) {
  constexpr Wide kMaximum = std::numeric_limits<uint64_t>::max();
  Wide whole = 0;
  for (char c : decimal.whole) {
    whole = whole * 10 + static_cast<unsigned>(c - '0');
    if (whole > kMaximum) return false;
  }
  whole *= factor;
  // Eighteen digits are below the smallest unit of any factor here; of the rest only whether they
  // are all zero matters.
  constexpr size_t kDigits = 18;
  uint64_t numerator = 0;
  uint64_t denominator = 1;
  bool more = false;
  for (size_t index = 0; index < decimal.fraction.size(); ++index) {
    const auto digit = static_cast<unsigned>(decimal.fraction[index] - '0');
    if (index < kDigits) {
      numerator = numerator * 10 + digit;
      denominator *= 10;
    } else {
      more = more || digit != 0;
    }
  }
  const Wide fraction = (Wide{numerator} * factor + (more ? 1 : 0) + denominator - 1) / denominator;
  if (whole + fraction > kMaximum) return false;
  *result = static_cast<uint64_t>(whole + fraction);
  return true;
}

template <size_t size>
const Unit* FindUnit(const Unit (&units)[size], std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

bool Fail(std::string_view text, const std::string& expected, std::string* error) {
  *error = "found " + Quoted(text) + ", expected " + expected;
  return false;
}

}  // namespace

bool ParseDuration(std::string_view text, uint64_t* nanoseconds, std::string* error) {
  const Decimal decimal = TakeApart(text);
  if (!decimal.valid()) {
    return Fail(text, "a duration such as 250ns, 10us, 1.5ms, 2s or 0", error);
  }
  if (decimal.unit.empty()) {
    if (decimal.zero()) {
      *nanoseconds = 0;
      return true;
    }
    const std::string number(decimal.text);
    uint64_t as_seconds = 0;
    // 0.5 was most likely meant in seconds; of 5 one cannot tell.
    const bool seconds = !decimal.fraction.empty() && Scale(decimal, 1'000'000'000, &as_seconds);
    return Fail(text,
                "a duration with a unit: write " + number + "s or " +
                    (seconds ? FormatDuration(as_seconds) : number + "ms"),
                error);
  }
  const Unit* unit = FindUnit(kDurationUnits, decimal.unit);
  if (unit == nullptr) return Fail(text, "one of the units ns, us, ms and s", error);
  if (!Scale(decimal, unit->factor, nanoseconds)) {
    return Fail(text, "a duration below 584 years", error);
  }
  return true;
}

std::string FormatDuration(uint64_t nanoseconds) {
  if (nanoseconds == 0) return "0";
  constexpr std::array<Unit, 4> kUnits = {
      {{"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}}};
  size_t index = 0;
  while (nanoseconds < kUnits[index].factor) ++index;
  const uint64_t factor = kUnits[index].factor;
  std::string text = std::to_string(nanoseconds / factor);
  const uint64_t rest = nanoseconds % factor;
  if (rest != 0) {
    // factor + rest has one digit more than rest can have, so its tail is rest with leading zeros.
    std::string digits = std::to_string(factor + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += '.' + digits;
  }
  return text + std::string(kUnits[index].name);
}

bool ParseSize(std::string_view text, uint64_t* bytes, std::string* error) {
  const Decimal decimal = TakeApart(text);
  if (!decimal.valid()) return Fail(text, "a size such as 500MiB or 1GiB", error);
  if (decimal.unit.empty()) {
    if (decimal.zero()) {
      *bytes = 0;
      return true;
    }
    const std::string number(decimal.text);
    return Fail(text, "a size with a unit: write " + number + "MiB or " + number + "GiB", error);
  }
  const Unit* unit = FindUnit(kSizeUnits, decimal.unit);
  if (unit == nullptr) return Fail(text, "one of the units B, KiB, MiB, GiB and TiB", error);
  if (!Scale(decimal, unit->factor, bytes)) return Fail(text, "a size below 16EiB", error);
  return true;
}

std::string FormatSize(uint64_t bytes) {
  if (bytes == 0) return "0";
  const Unit* best = &kSizeUnits[0];
  for (const Unit& unit : kSizeUnits) {
    if (bytes % unit.factor == 0 && unit.factor > best->factor && unit.name.ends_with("iB")) {
      best = &unit;
    }
  }
  return std::to_string(bytes / best->factor) + std::string(best->name);
}

bool ParseWholeNumber(std::string_view text, uint64_t maximum, uint64_t* number) {
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) return false;
  uint64_t value = 0;
  for (char c : text) {
    const auto digit = static_cast<uint64_t>(c - '0');
    if (digit > maximum || value > (maximum - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = value;
  return true;
}

}  // namespace autotrace::filters
