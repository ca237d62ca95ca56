// longjmp and its relatives, which leave calls without their exits. Each tells the thread's
// recorder how far up the stack it goes and passes on to glibc's own.
//
// Exported as glibc's versions only, like the functions in unwind_hooks.cc. Async-signal-safe where
// the real ones are: the recorder is told without locks, and the real functions are looked up when
// the library is loaded.
#include <setjmp.h>
#include <stdint.h>

#include "runtime/real_function.h"
#include "runtime/thread_slot.h"

#if defined(__x86_64__)

namespace autotrace {
namespace {

using Jump = void (*)(__jmp_buf_tag* environment, int value);

constinit RealFunction g_longjmp = AUTOTRACE_REAL(longjmp, "GLIBC_2.2.5");
constinit RealFunction g_underscore_longjmp = AUTOTRACE_REAL(_longjmp, "GLIBC_2.2.5");
constinit RealFunction g_siglongjmp = AUTOTRACE_REAL(siglongjmp, "GLIBC_2.2.5");
constinit RealFunction g_checked_longjmp = AUTOTRACE_REAL(__longjmp_chk, "GLIBC_2.11");

// A jump may be made by a signal handler, where looking up is not safe.
__attribute__((constructor)) void FindRealJumps() {
  for (RealFunction* jump :
       {&g_longjmp, &g_underscore_longjmp, &g_siglongjmp, &g_checked_longjmp}) {
    jump->Find();
  }
}

// The stack pointer that a jump restores. glibc keeps it as the seventh word, turned and xored with
// a secret of the thread's (sysdeps/x86_64/jmpbuf-offsets.h, pointer_guard.h).
uint64_t StackPointerOf(const __jmp_buf_tag* environment) {
  constexpr int kStackPointerWord = 6;
  auto word = static_cast<uint64_t>(environment->__jmpbuf[kStackPointerWord]);
  __asm__("rorq $17, %0\n\txorq %%fs:0x30, %0" : "+r"(word) : : "cc");
  return word;
}

void TellJump(const __jmp_buf_tag* environment) {
  if (t_slot.own == nullptr) return;
  const uint64_t stack_pointer = StackPointerOf(environment);
  LeaveInterruptedHooks(stack_pointer);
  if (t_slot.active == nullptr) return;
  WithRecorder(t_slot.active, [&](Recorder* recorder) { recorder->JumpedTo(stack_pointer); });
}

}  // namespace
}  // namespace autotrace

#define AUTOTRACE_JUMP(function, real)                                        \
  AUTOTRACE_INTERPOSED void function(__jmp_buf_tag* environment, int value) { \
    autotrace::TellJump(environment);                                         \
    autotrace::real.As<autotrace::Jump>()(environment, value);                \
  }

AUTOTRACE_JUMP(autotrace_longjmp, g_longjmp)
AUTOTRACE_JUMP(autotrace_underscore_longjmp, g_underscore_longjmp)
AUTOTRACE_JUMP(autotrace_siglongjmp, g_siglongjmp)
AUTOTRACE_JUMP(autotrace_longjmp_checked, g_checked_longjmp)

AUTOTRACE_REPLACE(autotrace_longjmp, longjmp, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_underscore_longjmp, _longjmp, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_siglongjmp, siglongjmp, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_longjmp_checked, __longjmp_chk, "GLIBC_2.11");

#endif  // __x86_64__
