#include "cli/text_format.h"

#include <stdio.h>
#include <time.h>

#include <array>

namespace autotrace::cli {
namespace {

// Bytes of the valid UTF-8 sequence that `text` begins with; 0 when it begins with none.
size_t SequenceSize(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  size_t size = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) size = 2;
  if (lead >= 0xe0 && lead <= 0xef) size = 3;
  if (lead >= 0xf0 && lead <= 0xf4) size = 4;
  if (size == 0 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

bool IsContinuationByte(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The first `columns` code points.
std::string_view Head(std::string_view text, size_t columns) {
  size_t end = 0;
  while (end < text.size()) {
    if (!IsContinuationByte(text[end]) && columns-- == 0) break;
    ++end;
  }
  return text.substr(0, end);
}

// The last `columns` code points.
std::string_view Tail(std::string_view text, size_t columns) {
  size_t begin = text.size();
  while (begin > 0 && columns > 0) {
    --begin;
    if (!IsContinuationByte(text[begin])) --columns;
  }
  return text.substr(begin);
}

// Three significant digits of a value below 1000 that is given in thousandths.
std::string ThreeDigits(uint64_t thousandths) {
  char out[32];
  const unsigned long long value = thousandths;
  if (thousandths < 10'000) {
    snprintf(out, sizeof(out), "%llu.%02llu", value / 1000, value % 1000 / 10);
  } else if (thousandths < 100'000) {
    snprintf(out, sizeof(out), "%llu.%llu", value / 1000, value % 1000 / 100);
  } else {
    snprintf(out, sizeof(out), "%llu", value / 1000);
  }
  return out;
}

// Rounded half up to three significant digits.
uint64_t RoundToThreeDigits(uint64_t value) {
  uint64_t unit = 1;
  while (value / unit >= 1000) unit *= 10;
  return (value + unit / 2) / unit * unit;
}

}  // namespace

std::string HumanDuration(uint64_t nanoseconds) {
  if (nanoseconds < 1000) return std::to_string(nanoseconds) + " ns";
  constexpr std::array<const char*, 3> kUnits = {" µs", " ms", " s"};
  // Rounded once; three digits divide without a rest.
  uint64_t thousandths = RoundToThreeDigits(nanoseconds);  // of a microsecond
  for (size_t unit = 0; unit < kUnits.size(); ++unit, thousandths /= 1000) {
    const bool last = unit + 1 == kUnits.size();
    if (thousandths < (last ? 60'000 : 1'000'000)) return ThreeDigits(thousandths) + kUnits[unit];
  }
  const unsigned long long seconds = (nanoseconds + 500'000'000) / 1'000'000'000;
  char out[48];
  if (seconds < 3600) {
    snprintf(out, sizeof(out), "%llum %02llus", seconds / 60, seconds % 60);
  } else {
    snprintf(out, sizeof(out), "%lluh %02llum", seconds / 3600, seconds % 3600 / 60);
  }
  return out;
}

std::string HumanCount(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // 1023.5 would be printed as 1024.
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  char out[32];
  snprintf(out, sizeof(out), value < 9.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return out;
}

std::string HumanTime(uint64_t unix_nanoseconds) {
  if (unix_nanoseconds == 0) return "unknown";
  const time_t seconds = static_cast<time_t>(unix_nanoseconds / 1'000'000'000);
  struct tm local;
  if (localtime_r(&seconds, &local) == nullptr) return "unknown";
  char out[32];
  strftime(out, sizeof(out), "%Y-%m-%d %H:%M:%S", &local);
  return out;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += IsContinuationByte(c) ? 0 : 1;
  return width;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t size = SequenceSize(text);
    const unsigned char lead = static_cast<unsigned char>(text[0]);
    // U+0080 to U+009F are control characters too.
    const bool control = lead < 0x20 || lead == 0x7f ||
                         (size == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (size > 0 && !control) {
      out.append(text.substr(0, size));
      text.remove_prefix(size);
      continue;
    }
    if (lead == '\n') {
      out += "\\n";
    } else if (lead == '\t') {
      out += "\\t";
    } else {
      char escaped[8];
      snprintf(escaped, sizeof(escaped), "\\x%02x", lead);
      out += escaped;
    }
    text.remove_prefix(1);
    if (size == 2) {
      char escaped[8];
      snprintf(escaped, sizeof(escaped), "\\x%02x", static_cast<unsigned char>(text[0]));
      out += escaped;
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string CutMiddle(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  // A qualified name says more at its end.
  const size_t head = (width - 1) / 3;
  const size_t tail = width - 1 - head;
  return std::string(Head(text, head)) + "…" + std::string(Tail(text, tail));
}

std::string CutEnd(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  return std::string(Head(text, width - 1)) + "…";
}

std::string PadLeft(std::string_view text, size_t width) {
  const size_t taken = DisplayWidth(text);
  return std::string(taken < width ? width - taken : 0, ' ') + std::string(text);
}

std::string PadRight(std::string_view text, size_t width) {
  const size_t taken = DisplayWidth(text);
  return std::string(text) + std::string(taken < width ? width - taken : 0, ' ');
}

std::string Counted(uint64_t count, std::string_view noun) {
  std::string out = HumanCount(count) + " " + std::string(noun);
  if (count == 1) return out;
  // "process" is the only noun of ours that does not just take an s.
  return out + (out.back() == 's' ? "es" : "s");
}

}  // namespace autotrace::cli
