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

  // Assigns while another thread may look. What was stored before is seen by whoever sees a part.
  void Store(const OuterParent& other) {
    __atomic_store_n(&trace_id[0], other.trace_id[0], __ATOMIC_RELEASE);
    __atomic_store_n(&trace_id[1], other.trace_id[1], __ATOMIC_RELEASE);
    __atomic_store_n(&span_id, other.span_id, __ATOMIC_RELEASE);
    __atomic_store_n(&sequence, other.sequence, __ATOMIC_RELEASE);
  }
  // On another thread; perhaps half of one and half of another.
  OuterParent Look() const {
    return {{__atomic_load_n(&trace_id[0], __ATOMIC_ACQUIRE),
             __atomic_load_n(&trace_id[1], __ATOMIC_ACQUIRE)},
            __atomic_load_n(&span_id, __ATOMIC_ACQUIRE),
            __atomic_load_n(&sequence, __ATOMIC_ACQUIRE)};
  }
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_OUTER_PARENT_H_
