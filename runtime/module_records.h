// The kModule records that traced threads have written into the ring and that the background thread
// has not taken note of yet, linked to one another where they stand.
//
// A reader must know of a module before it sees a span of it, and the span may be another thread's:
// so these records are taken out of turn. Whoever writes one puts it here before anybody can record
// a span that depends on it, and without waiting for others who do the same: a thread that is
// stopped in the middle keeps nobody's news back. A chunk holds its records until it is drained;
// they are to be taken before it is freed.
#ifndef AUTOTRACE_RUNTIME_MODULE_RECORDS_H_
#define AUTOTRACE_RUNTIME_MODULE_RECORDS_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "runtime/trace_format.h"

namespace autotrace {

class ModuleRecords {
 public:
  // One that is whole but for its head, which is written afterwards. Any thread; lock-free,
  // async-signal-safe.
  void Add(format::Extension* record) {
    format::Extension* newest = newest_.load(std::memory_order_relaxed);
    do {
      // Means nothing to readers; these records belong to no span.
      record->sequence = reinterpret_cast<uint64_t>(newest);
    } while (!newest_.compare_exchange_weak(newest, record, std::memory_order_acq_rel));
  }

  // Takes all and calls visit(entry) for each, in no order. One thread at a time.
  template <typename Visit>
  void TakeAll(Visit visit) {
    if (newest_.load(std::memory_order_relaxed) == nullptr) return;
    const format::Extension* record = newest_.exchange(nullptr, std::memory_order_acq_rel);
    while (record != nullptr) {
      visit(*reinterpret_cast<const format::ModuleEntry*>(record + 1));
      record = reinterpret_cast<const format::Extension*>(record->sequence);
    }
  }

  // In a forked child, whose ring is another one.
  void Clear() { newest_.store(nullptr, std::memory_order_relaxed); }

 private:
  std::atomic<format::Extension*> newest_{nullptr};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_RECORDS_H_
