// sigaltstack(2): where no thread has an alternate stack, no throw and no jump has to ask the
// kernel for it, which the program may have forbidden.
//
// Exported as glibc's version only, like the functions in unwind_hooks.cc. Async-signal-safe.
#include "runtime/signal_stack_hooks.h"

#include <dlfcn.h>
#include <signal.h>

#include "runtime/real_function.h"
#include "runtime/signal_stack.h"

// In programs built with a sanitizer, which gives threads alternate stacks by system calls of its
// own.
extern "C" __attribute__((weak)) void __sanitizer_set_report_path(const char*);

AUTOTRACE_INTERPOSED int autotrace_sigaltstack(const stack_t* stack, stack_t* old);

namespace autotrace {
namespace {

using SetSignalStack = int (*)(const stack_t*, stack_t*);

constinit RealFunction g_sigaltstack = AUTOTRACE_REAL(sigaltstack, "GLIBC_2.2.5");

// Does the program call ours? Not where libc comes first in the look-up order, because the program
// opened a library that is linked to this one.
bool IsInPlace() {
#if AUTOTRACE_STATIC
  return true;
#else
  return dlvsym(RTLD_DEFAULT, "sigaltstack", "GLIBC_2.2.5") ==
         reinterpret_cast<void*>(&autotrace_sigaltstack);
#endif
}

}  // namespace

void FindOutAboutSignalStacks() {
  stack_t own = {};
  if (IsInPlace() && &__sanitizer_set_report_path == nullptr &&
      g_sigaltstack.As<SetSignalStack>()(nullptr, &own) == 0 && (own.ss_flags & SS_DISABLE) != 0) {
    g_may_have_signal_stacks.store(false, std::memory_order_relaxed);
  }
}

}  // namespace autotrace

AUTOTRACE_INTERPOSED int autotrace_sigaltstack(const stack_t* stack, stack_t* old) {
  if (stack != nullptr) {
    autotrace::g_may_have_signal_stacks.store(true, std::memory_order_relaxed);
  }
  return autotrace::g_sigaltstack.As<autotrace::SetSignalStack>()(stack, old);
}

AUTOTRACE_REPLACE(autotrace_sigaltstack, sigaltstack, "GLIBC_2.2.5");
