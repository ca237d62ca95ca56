// The program that tests of reading runs record: `run` is called once and calls `load` over and
// over, on one thread. Ticks are nanoseconds since kEpoch.
#ifndef AUTOTRACE_TESTS_EXPORTER_SMALL_PROGRAM_H_
#define AUTOTRACE_TESTS_EXPORTER_SMALL_PROGRAM_H_

#include <stdint.h>

#include "tests/exporter/stream_builder.h"

namespace autotrace::testing {

inline constexpr uint64_t kRun = 0x1100;
inline constexpr uint64_t kLoad = 0x1200;

// How each of its segments begins.
inline StreamBuilder Preamble(const ProcessFields& fields) {
  StreamBuilder stream(fields);
  stream.Process().Module(1, "/opt/app", 0x1000, 0x9000).Clock(0, kEpoch);
  stream.Function(kRun, "run", 1).Function(kLoad, "load", 1).Thread(1, 42, "main");
  return stream;
}

// `run` begins, as span 1.
inline Records Begin() {
  Records records;
  return records.TraceBegin({.function = kRun, .start = 5, .root_sequence = 1});
}

// `records` and so many calls of `load`, numbered from `first` on; each starts at ten times its
// number.
inline Records WithChildren(Records records, uint64_t first, uint64_t count) {
  for (uint64_t sequence = first; sequence < first + count; ++sequence) {
    records.Span({.function = kLoad,
                  .start = 10 * sequence,
                  .end = 10 * sequence + 5,
                  .sequence = sequence,
                  .parent = 1});
  }
  return records;
}

inline Records Child(uint64_t sequence) { return WithChildren({}, sequence, 1); }

}  // namespace autotrace::testing

#endif  // AUTOTRACE_TESTS_EXPORTER_SMALL_PROGRAM_H_
