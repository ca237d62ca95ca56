// The alternate stack that a signal handler of this thread runs on.
#ifndef AUTOTRACE_RUNTIME_SIGNAL_STACK_H_
#define AUTOTRACE_RUNTIME_SIGNAL_STACK_H_

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "runtime/stack_range.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {

// Nothing when no handler runs on one. Asks the kernel: one system call. Async-signal-safe, keeps
// errno.
inline StackRange SignalStackInUse() {
  stack_t stack = {};
  if (raw::Syscall(SYS_sigaltstack, 0, reinterpret_cast<long>(&stack)) != 0 ||
      (stack.ss_flags & SS_ONSTACK) == 0) {
    return {};
  }
  const auto low = reinterpret_cast<uint64_t>(stack.ss_sp);
  return {low, low + stack.ss_size};
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SIGNAL_STACK_H_
