// From the recorder's ticks to wall-clock nanoseconds: one monotonic function for the whole
// process, so that a span never seems to end after its parent because the two were converted at
// different times.
//
// The function is made of straight pieces between the clock points that the recorder wrote, and
// goes on with the last slope beyond the last one. Points may be added between conversions (live
// export): what was already converted keeps its value, and the function bends towards the new
// point after it.
#ifndef AUTOTRACE_EXPORTER_CLOCK_MAP_H_
#define AUTOTRACE_EXPORTER_CLOCK_MAP_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "runtime/trace_format.h"

namespace autotrace::exporter {

class ClockMap {
 public:
  // Before the first point: the rate that holds until a second point tells a better one.
  void SetRate(uint64_t ticks_per_second);
  // Used when there is no clock point at all: the moment of the first tick that is converted.
  void SetStart(uint64_t unix_nanos) { start_unix_nanos_ = unix_nanos; }

  // Points come in order; one that is not later than the last one is ignored (segments repeat
  // them).
  void AddPoint(const format::ClockPoint& point);

  // Ticks to unix nanoseconds. a <= b implies ToUnixNanos(a) <= ToUnixNanos(b), also across calls
  // of AddPoint.
  uint64_t ToUnixNanos(uint64_t ticks);

 private:
  // From `ticks` on: unix_nanos + (t - ticks) * rise / run, rounded down.
  struct Piece {
    uint64_t ticks;
    uint64_t unix_nanos;
    uint64_t rise;  // nanoseconds
    uint64_t run;   // ticks, not 0
  };

  static uint64_t Evaluate(const Piece& piece, uint64_t ticks);
  const Piece& PieceFor(uint64_t ticks);
  uint64_t Value(uint64_t ticks) { return Evaluate(PieceFor(ticks), ticks); }
  void AddFirst(const Piece& piece);
  void Thin();

  std::vector<Piece> pieces_;  // ticks strictly increasing, unix_nanos not decreasing
  Piece before_{};             // holds before pieces_[0]; never changed, unlike that one's slope
  size_t current_ = 0;         // the piece used last
  uint64_t converted_ = 0;     // the latest ticks converted so far
  format::ClockPoint last_point_ = {0, 0};
  bool has_point_ = false;
  uint64_t ticks_per_second_ = 1'000'000'000;
  uint64_t start_unix_nanos_ = 0;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_CLOCK_MAP_H_
