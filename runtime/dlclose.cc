// dlclose(3): the program's own, between two looks at what is there, so that a library that is
// loaded at the same address in the next moment does not get the old one's decisions and names.
//
// Exported as glibc's versions only, like the functions in unwind_hooks.cc. Where libc comes before
// this library in the look-up order (a program without it opens a library that is linked to it),
// only the background thread notices.
#include "runtime/real_function.h"
#include "runtime/session.h"

namespace autotrace {
namespace {

using CloseFunction = int (*)(void*);

// Not looked up at start, because a program that never closes anything needs none; dlclose takes
// the dynamic linker's locks anyway.
constinit RealFunction g_close = AUTOTRACE_REAL(dlclose, "GLIBC_2.34");

// Result, errno and dlerror() are the real one's.
int Close(void* handle) {
  const auto close = g_close.As<CloseFunction>();
  Session* session = Session::Current();
  if (session == nullptr || g_state.load(std::memory_order_acquire) != SessionState::kOn) {
    return close(handle);
  }
  session->modules().BeforeClose(handle);
  const int result = close(handle);
  session->modules().Check();
  return result;
}

}  // namespace
}  // namespace autotrace

AUTOTRACE_INTERPOSED int autotrace_dlclose(void* handle) { return autotrace::Close(handle); }
AUTOTRACE_INTERPOSED int autotrace_dlclose_old(void* handle) { return autotrace::Close(handle); }

AUTOTRACE_REPLACE(autotrace_dlclose, dlclose, "GLIBC_2.34");
#if defined(__x86_64__)
AUTOTRACE_REPLACE_OLD(autotrace_dlclose_old, dlclose, "GLIBC_2.2.5");
#elif defined(__aarch64__)
AUTOTRACE_REPLACE_OLD(autotrace_dlclose_old, dlclose, "GLIBC_2.17");
#endif
