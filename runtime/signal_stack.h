// The alternate stack that a signal handler of this thread runs on.
#ifndef AUTOTRACE_RUNTIME_SIGNAL_STACK_H_
#define AUTOTRACE_RUNTIME_SIGNAL_STACK_H_

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <atomic>

#include "runtime/stack_range.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {

// Has a thread of this process an alternate stack? False only when it is sure that none has one:
// signal_stack_hooks.cc finds out.
extern std::atomic<bool> g_may_have_signal_stacks;

// Nothing when no handler runs on one. Asks the kernel, where there may be one: one system call.
// Async-signal-safe, keeps errno.
inline StackRange SignalStackInUse() {
  if (!g_may_have_signal_stacks.load(std::memory_order_relaxed)) return {};
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
