#include "exporter/clock_map.h"

#include <algorithm>

#include "runtime/clock_lines.h"

namespace autotrace::exporter {
namespace {

constexpr uint64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kMostLines = 32768;

}  // namespace

void ClockMap::SetRate(uint64_t ticks_per_second) {
  if (ticks_per_second != 0) ticks_per_second_ = ticks_per_second;
}

void ClockMap::Add(format::ClockLine line) {
  line.run = std::max<uint64_t>(line.run, 1);
  if (!lines_.empty()) {
    if (line.ticks <= lines_.back().ticks) return;
    // As it is in what a recorder wrote.
    line.unix_nanos = std::max(line.unix_nanos, UnixNanosAt(lines_.back(), line.ticks));
  }
  lines_.push_back(line);
  if (lines_.size() > kMostLines) Thin();
}

uint64_t ClockMap::ToUnixNanos(uint64_t ticks) {
  if (lines_.empty()) Add({ticks, start_unix_nanos_, kNanosPerSecond, ticks_per_second_});
  return UnixNanosAt(LineFor(ticks), ticks);
}

const format::ClockLine& ClockMap::LineFor(uint64_t ticks) {
  const auto holds = [&](size_t index) {
    return (index == 0 || lines_[index].ticks <= ticks) &&
           (index + 1 == lines_.size() || ticks < lines_[index + 1].ticks);
  };
  if (current_ < lines_.size() && holds(current_)) return lines_[current_];
  const auto after = std::upper_bound(
      lines_.begin() + 1, lines_.end(), ticks,
      [](uint64_t value, const format::ClockLine& line) { return value < line.ticks; });
  current_ = static_cast<size_t>(after - lines_.begin() - 1);
  return lines_[current_];
}

// Joins the older half's lines by twos. A program that is exported live for weeks would otherwise
// have ever more of them; the clock's rate changes little, so this moves old values by less than a
// microsecond.
void ClockMap::Thin() {
  const size_t older = lines_.size() / 2;
  size_t kept = 0;
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (i < older && i % 2 == 1) continue;
    format::ClockLine line = lines_[i];
    if (i + 1 < older) {
      line.rise = lines_[i + 2].unix_nanos - line.unix_nanos;
      line.run = lines_[i + 2].ticks - line.ticks;
    }
    lines_[kept++] = line;
  }
  lines_.resize(kept);
}

}  // namespace autotrace::exporter
