// The parent of spans that are the outermost ones of their thread or stack.
#ifndef AUTOTRACE_RUNTIME_OUTER_PARENT_H_
#define AUTOTRACE_RUNTIME_OUTER_PARENT_H_

#include <stdint.h>

namespace autotrace {

// A span of another thread or stack, or one outside of this process (or of before a fork).
struct OuterParent {
  uint64_t trace_id[2] = {0, 0};
  uint64_t span_id = 0;   // of one outside, else 0
  uint64_t sequence = 0;  // of one in this process, else 0
  bool exists() const { return (span_id | sequence) != 0; }
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_OUTER_PARENT_H_
