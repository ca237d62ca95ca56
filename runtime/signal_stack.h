// The alternate stack that a signal handler of this thread runs on.
#ifndef AUTOTRACE_RUNTIME_SIGNAL_STACK_H_
#define AUTOTRACE_RUNTIME_SIGNAL_STACK_H_

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "symbolizer/raw_syscalls.h"

namespace autotrace {

struct SignalStack {
  uint64_t low = 0;
  uint64_t size = 0;  // 0: no handler runs on one
  bool Contains(uint64_t address) const { return address - low < size; }
};

// Asks the kernel: one system call. Async-signal-safe, keeps errno.
inline SignalStack SignalStackInUse() {
  stack_t stack = {};
  if (raw::Syscall(SYS_sigaltstack, 0, reinterpret_cast<long>(&stack)) != 0 ||
      (stack.ss_flags & SS_ONSTACK) == 0) {
    return {};
  }
  return {reinterpret_cast<uint64_t>(stack.ss_sp), stack.ss_size};
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SIGNAL_STACK_H_
