#include "runtime/clock_lines.h"

#include <algorithm>

namespace autotrace {
namespace {

using Wide = unsigned __int128;
constexpr uint64_t kNanosPerSecond = 1'000'000'000;
constexpr uint64_t kLongestLineSeconds = 16;

uint64_t Saturated(Wide value) {
  return value > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(value);
}

}  // namespace

uint64_t UnixNanosAt(const format::ClockLine& line, uint64_t ticks) {
  const uint64_t run = std::max<uint64_t>(line.run, 1);
  if (ticks >= line.ticks) {
    return Saturated(Wide{line.unix_nanos} + Wide{ticks - line.ticks} * line.rise / run);
  }
  // Rounded up before it is subtracted, so that the sum is rounded down.
  const Wide fall = (Wide{line.ticks - ticks} * line.rise + run - 1) / run;
  return fall > line.unix_nanos ? 0 : line.unix_nanos - static_cast<uint64_t>(fall);
}

uint64_t ClockLines::LengthAt(uint64_t age) const {
  const uint64_t second = ticks_per_second_;
  if (age < 1024 * second) return std::clamp(age, second / 100, second);
  return std::min(age / 1024, kLongestLineSeconds * second);
}

format::ClockLine ClockLines::Next(const format::ClockPoint& point) {
  if (!has_line_) {
    has_line_ = true;
    first_ticks_ = point.ticks;
    rate_ = {point.ticks, point.unix_nanos, kNanosPerSecond, ticks_per_second_};
    line_ = rate_;
    length_ = LengthAt(0);
    return line_;
  }
  const uint64_t begin = std::max(point.ticks, line_.ticks);
  const uint64_t value = UnixNanosAt(line_, begin);
  length_ = LengthAt(begin - first_ticks_);
  // Two points that are close to one another tell less about the rate than what is known already.
  if (point.ticks >= rate_.ticks + length_ / 2 && point.unix_nanos >= rate_.unix_nanos) {
    rate_ = {point.ticks, point.unix_nanos, point.unix_nanos - rate_.unix_nanos,
             point.ticks - rate_.ticks};
  }
  const uint64_t target =
      Saturated(Wide{point.unix_nanos} + Wide{length_} * rate_.rise / rate_.run);
  line_ = {begin, value, target - std::min(target, value), length_};
  return line_;
}

}  // namespace autotrace
