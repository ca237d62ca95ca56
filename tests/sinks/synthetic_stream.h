// The blocks of a traced process that never ran, for tests of the export library: one module, one
// function, one thread, and as many spans as asked for, all children of one root.
#ifndef AUTOTRACE_TESTS_SINKS_SYNTHETIC_STREAM_H_
#define AUTOTRACE_TESTS_SINKS_SYNTHETIC_STREAM_H_

#include <stdint.h>

#include <string>
#include <vector>

namespace autotrace::test {

struct StreamBlock {
  uint16_t kind;
  std::string payload;
};

// Blocks before any records: process, clock, module, functions, thread, and the trace's begin.
std::vector<StreamBlock> StreamHead();
// A block of `count` spans, children of sequence 1, with sequences from `first_sequence` (> 1) on.
StreamBlock StreamChildren(uint64_t first_sequence, uint64_t count);
// The root span as an open frame.
StreamBlock StreamOpenRoot();
// The root span (sequence 1) and an orderly end.
std::vector<StreamBlock> StreamTail();

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_SINKS_SYNTHETIC_STREAM_H_
