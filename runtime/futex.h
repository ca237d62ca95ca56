// Waiting and waking by futex(2), for waiters of this process only. No errno, no lock; waking is
// async-signal-safe.
#ifndef AUTOTRACE_RUNTIME_FUTEX_H_
#define AUTOTRACE_RUNTIME_FUTEX_H_

#include <linux/futex.h>
#include <stdint.h>
#include <time.h>

#include <atomic>

#include "symbolizer/raw_syscalls.h"

namespace autotrace {

// Sleeps while *word is `expected`, at most so long; may return early.
inline void FutexWait(std::atomic<uint32_t>* word, uint32_t expected, uint64_t timeout_nanos) {
  const timespec timeout = {static_cast<time_t>(timeout_nanos / 1'000'000'000u),
                            static_cast<long>(timeout_nanos % 1'000'000'000u)};
  raw::Syscall(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAIT, expected,
               reinterpret_cast<long>(&timeout));
}

inline void FutexWake(std::atomic<uint32_t>* word) {
  raw::Syscall(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE, INT32_MAX);
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_FUTEX_H_
