// swapcontext and setcontext: the thread goes to another stack.
//
// Exported as glibc's versions only, like the functions in unwind_hooks.cc. A context that returns
// to its uc_link does so inside glibc: then the next hook notices by its address.
#include <stdint.h>
#include <ucontext.h>

#include "runtime/real_function.h"
#include "runtime/thread_slot.h"

#if defined(__x86_64__)

namespace autotrace {
namespace {

using SwapContext = int (*)(ucontext_t*, const ucontext_t*);
using SetContext = int (*)(const ucontext_t*);

constinit RealFunction g_swapcontext = AUTOTRACE_REAL(swapcontext, "GLIBC_2.2.5");
constinit RealFunction g_setcontext = AUTOTRACE_REAL(setcontext, "GLIBC_2.2.5");

void TellContext(const ucontext_t* target) {
  if (t_slot.active == nullptr) return;
  const auto stack_pointer = static_cast<uint64_t>(target->uc_mcontext.gregs[REG_RSP]);
  const auto low = reinterpret_cast<uint64_t>(target->uc_stack.ss_sp);
  const uint64_t high = low + target->uc_stack.ss_size;
  WithRecorder(t_slot.active, [&](Recorder* recorder) {
    // Only contexts from makecontext have a stack of their own here; its end is a valid address.
    if (low != 0 && stack_pointer >= low && stack_pointer <= high) {
      recorder->StackCreated(low, high);
    }
    recorder->SwitchToStackOf(stack_pointer - 1);
  });
}

}  // namespace
}  // namespace autotrace

// Tail calls: what is saved is the caller's context.
AUTOTRACE_INTERPOSED int autotrace_swapcontext(ucontext_t* from, const ucontext_t* target) {
  autotrace::TellContext(target);
  return autotrace::g_swapcontext.As<autotrace::SwapContext>()(from, target);
}
AUTOTRACE_INTERPOSED int autotrace_setcontext(const ucontext_t* target) {
  autotrace::TellContext(target);
  return autotrace::g_setcontext.As<autotrace::SetContext>()(target);
}

AUTOTRACE_REPLACE(autotrace_swapcontext, swapcontext, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_setcontext, setcontext, "GLIBC_2.2.5");

#endif  // __x86_64__
