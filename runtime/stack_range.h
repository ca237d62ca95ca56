// The addresses of a machine stack, or of a part of one.
#ifndef AUTOTRACE_RUNTIME_STACK_RANGE_H_
#define AUTOTRACE_RUNTIME_STACK_RANGE_H_

#include <stdint.h>

namespace autotrace {

struct StackRange {
  uint64_t low = 0;
  uint64_t high = 0;  // one past the last byte; equal to `low`: nothing

  bool Contains(uint64_t address) const { return address - low < high - low; }
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_STACK_RANGE_H_
