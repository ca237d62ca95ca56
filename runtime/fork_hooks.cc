// Ways to fork that run no atfork handlers: _Fork(), clone() and syscall() without CLONE_VM.
//
// The child gets what a forked one gets (see Session::BeforeClone), or is not traced; a program
// that forks by instructions of its own is noticed by the hooks (Recorder::WipedOffset). Exported
// as glibc's versions only, like the functions in unwind_hooks.cc. What shares its parent's memory,
// as vfork() and threads do, passes through without a frame of ours: it may return twice.
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/real_function.h"
#include "runtime/session.h"
#include "symbolizer/raw_syscalls.h"

#if defined(__x86_64__)

namespace autotrace {
namespace {

Session* TracingSession() {
  return g_state.load(std::memory_order_acquire) == SessionState::kOn ? Session::Current()
                                                                      : nullptr;
}

// fork() returns what fork(2) does, in both processes.
template <typename Fork>
auto Forked(Fork fork) {
  Session* session = TracingSession();
  if (session == nullptr) return fork();
  const bool is_traced = session->BeforeClone();
  const auto result = fork();
  if (result == 0) {
    session->AfterCloneInChild(is_traced);
  } else {
    const int error_number = errno;
    session->AfterCloneInParent();
    errno = error_number;
  }
  return result;
}

using Function = int (*)(void*);
using Clone = int (*)(Function, void*, int, void*, void*, void*, void*);
constinit RealFunction g_clone = AUTOTRACE_REAL(clone, "GLIBC_2.2.5");
#if !AUTOTRACE_STATIC
constinit RealFunction g_fork = AUTOTRACE_REAL(_Fork, "GLIBC_2.34");
#endif

// clone()'s child begins in a function. It has a copy of this.
struct CloneStart {
  Session* session;
  bool is_traced;
  Function function;
  void* argument;
};
AUTOTRACE_NOT_WATCHED int RunCloned(void* start) {
  const auto* cloned = static_cast<CloneStart*>(start);
  cloned->session->AfterCloneInChild(cloned->is_traced);
  return cloned->function(cloned->argument);
}

}  // namespace
}  // namespace autotrace

// In a static program fork() itself would come here.
#if !AUTOTRACE_STATIC
AUTOTRACE_INTERPOSED pid_t autotrace_underscore_fork() {
  using Fork = pid_t (*)();
  return autotrace::Forked([] { return autotrace::g_fork.As<Fork>()(); });
}
AUTOTRACE_REPLACE(autotrace_underscore_fork, _Fork, "GLIBC_2.34");
#endif

AUTOTRACE_INTERPOSED int autotrace_clone(int (*function)(void*), void* stack, int flags,
                                         void* argument, ...) {
  // What no flag speaks of need not have been passed.
  const bool has_child_tid = (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) != 0;
  const bool has_storage = has_child_tid || (flags & CLONE_SETTLS) != 0;
  const bool has_parent_tid = has_storage || (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD)) != 0;
  va_list list;
  va_start(list, argument);
  void* const parent_tid = has_parent_tid ? va_arg(list, void*) : nullptr;
  void* const thread_local_storage = has_storage ? va_arg(list, void*) : nullptr;
  void* const child_tid = has_child_tid ? va_arg(list, void*) : nullptr;
  va_end(list);
  const auto clone = autotrace::g_clone.As<autotrace::Clone>();
  autotrace::Session* session = autotrace::TracingSession();
  if ((flags & CLONE_VM) != 0 || function == nullptr || session == nullptr) {
    return clone(function, stack, flags, argument, parent_tid, thread_local_storage, child_tid);
  }
  autotrace::CloneStart start = {session, session->BeforeClone(), function, argument};
  const int result = clone(&autotrace::RunCloned, stack, flags, &start, parent_tid,
                           thread_local_storage, child_tid);
  const int error_number = errno;
  session->AfterCloneInParent();
  errno = error_number;
  return result;
}

// Will this call return in a process with memory of its own, on the same stack?
extern "C" bool autotrace_syscall_forks(long number, unsigned long first, unsigned long second) {
  if (number == SYS_fork) return true;
  if (number == SYS_clone) return (first & CLONE_VM) == 0 && second == 0;
  if (number != SYS_clone3 || first == 0) return false;
  const auto* arguments = reinterpret_cast<const clone_args*>(first);
  return (arguments->flags & CLONE_VM) == 0 && arguments->stack == 0;
}

extern "C" long autotrace_forking_syscall(long number, long a, long b, long c, long d, long e,
                                          long f) {
  const long result =
      autotrace::Forked([&] { return autotrace::raw::Syscall(number, a, b, c, d, e, f); });
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

extern "C" long autotrace_failed_syscall(long result) {
  errno = static_cast<int>(-result);
  return -1;
}

// syscall() itself: glibc's does the same, but for the question in the middle.
__asm__(
    ".pushsection .text\n"
    ".globl autotrace_syscall\n"
    ".type autotrace_syscall, @function\n"
    "autotrace_syscall:\n"
    ".cfi_startproc\n"
    "  endbr64\n"
    "  cmp $56, %rdi\n"  // SYS_clone
    "  je 1f\n"
    "  cmp $57, %rdi\n"  // SYS_fork
    "  je 1f\n"
    "  cmp $435, %rdi\n"  // SYS_clone3
    "  je 1f\n"
    "0:\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  mov %rcx, %rdx\n"
    "  mov %r8, %r10\n"
    "  mov %r9, %r8\n"
    "  mov 8(%rsp), %r9\n"
    "  syscall\n"
    "  cmp $-4095, %rax\n"
    "  jae 2f\n"
    "  ret\n"
    "1:\n"
    "  push %rdi\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  push %rsi\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  push %rdx\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  push %rcx\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  push %r8\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  push %r9\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  sub $8, %rsp\n"
    ".cfi_adjust_cfa_offset 8\n"
    "  call autotrace_syscall_forks\n"
    "  add $8, %rsp\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  pop %r9\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  pop %r8\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  pop %rcx\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  pop %rdx\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  pop %rsi\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  pop %rdi\n"
    ".cfi_adjust_cfa_offset -8\n"
    "  test %al, %al\n"
    "  jz 0b\n"
    "  jmp autotrace_forking_syscall\n"
    "2:\n"
    "  mov %rax, %rdi\n"
    "  jmp autotrace_failed_syscall\n"
    ".cfi_endproc\n"
    ".size autotrace_syscall, . - autotrace_syscall\n"
    ".popsection\n");

AUTOTRACE_REPLACE(autotrace_clone, clone, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_syscall, syscall, "GLIBC_2.2.5");

#endif  // __x86_64__
