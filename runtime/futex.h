// Waiting and waking by futex(2), for waiters of this process only, and asking about memory. No
// errno, no lock; waking is async-signal-safe.
#ifndef AUTOTRACE_RUNTIME_FUTEX_H_
#define AUTOTRACE_RUNTIME_FUTEX_H_

#include <errno.h>
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

// Does this word of memory hold `value`? False also when nothing is mapped there: the kernel looks,
// so that memory that may be unmapped at any moment can be asked about without a fault. It is a
// requeue of no waiters, which only compares. Any thread; async-signal-safe.
inline bool FutexHolds(uint64_t word_address, uint32_t value) {
  const auto word = static_cast<long>(word_address);
  const long result = raw::Syscall(SYS_futex, word, FUTEX_CMP_REQUEUE_PRIVATE, 0, 0, word, value);
  // Other errors: a filter forbids the question.
  return result != -EAGAIN && result != -EFAULT;
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_FUTEX_H_
