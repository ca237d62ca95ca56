// From the recorder's ticks to wall-clock nanoseconds: the lines that the recorder drew (see
// runtime/clock_lines.h), one monotonic function for the whole process, so that a span never seems
// to end after its parent because the two were converted at different times.
#ifndef AUTOTRACE_EXPORTER_CLOCK_MAP_H_
#define AUTOTRACE_EXPORTER_CLOCK_MAP_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "runtime/trace_format.h"

namespace autotrace::exporter {

class ClockMap {
 public:
  // For data without any line: its first tick that is converted is this moment, and the rate holds.
  void SetRate(uint64_t ticks_per_second);
  void SetStart(uint64_t unix_nanos) { start_unix_nanos_ = unix_nanos; }

  // Lines come in order; one that is not later than the last one is ignored (segments repeat them).
  void Add(format::ClockLine line);

  // Ticks to unix nanoseconds. a <= b implies ToUnixNanos(a) <= ToUnixNanos(b), as long as no line
  // is added that begins before b.
  uint64_t ToUnixNanos(uint64_t ticks);

 private:
  const format::ClockLine& LineFor(uint64_t ticks);
  void Thin();

  std::vector<format::ClockLine> lines_;  // ticks strictly increasing, unix_nanos not decreasing
  size_t current_ = 0;                    // the line used last
  uint64_t ticks_per_second_ = 1'000'000'000;
  uint64_t start_unix_nanos_ = 0;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_CLOCK_MAP_H_
