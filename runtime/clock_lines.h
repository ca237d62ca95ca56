// The recorder's clock as readers see it: straight lines, one joined to the other, from ticks to
// wall-clock time.
//
// The writer draws them, not the reader: what is sent while the program runs, and what is read from
// its files later, or from a part of them, then have the same times. So a line is drawn ahead, from
// what is known when it begins, towards where the wall clock will be when the next one is due.
#ifndef AUTOTRACE_RUNTIME_CLOCK_LINES_H_
#define AUTOTRACE_RUNTIME_CLOCK_LINES_H_

#include <stdint.h>

#include "runtime/trace_format.h"

namespace autotrace {

// Wall-clock time at a tick by this line, also before its beginning. What does not fit becomes the
// smallest or the largest value.
uint64_t UnixNanosAt(const format::ClockLine& line, uint64_t ticks);

class ClockLines {
 public:
  // ticks_per_second: an estimate, not 0.
  explicit ClockLines(uint64_t ticks_per_second) : ticks_per_second_(ticks_per_second) {}

  // The line that begins at this point. Points come in order, and are not earlier than any tick
  // that was given away before.
  format::ClockLine Next(const format::ClockPoint& point);

  // Is it time for the next line? The estimate of the clock's rate is a rough one at first, so the
  // first lines are short: as long as the program is old, from 10 ms to a second. A thousandth of
  // its age is enough later, up to 16 seconds.
  bool IsDue(uint64_t ticks) const { return ticks - line_.ticks >= length_; }

 private:
  uint64_t LengthAt(uint64_t age) const;

  const uint64_t ticks_per_second_;
  bool has_line_ = false;
  uint64_t first_ticks_ = 0;
  format::ClockLine line_ = {0, 0, 0, 1};
  // The last point that the rate was measured at, and the rate.
  format::ClockLine rate_ = {0, 0, 0, 1};
  uint64_t length_ = 0;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CLOCK_LINES_H_
