// dlclose(3): the program's own. While it runs nothing is known about code that can be unloaded, so
// that a library that is loaded at the same address in the next moment does not get the old one's
// decisions and names; see module_table.h.
//
// Exported as glibc's versions only, like the functions in unwind_hooks.cc. Where libc comes before
// this library in the look-up order (a program without it opens a library that is linked to it),
// only the background thread notices.
#include "runtime/real_function.h"
#include "runtime/session.h"
#include "runtime/thread_slot.h"

namespace autotrace {
namespace {

using CloseFunction = int (*)(void*);

// Not looked up at start, because a program that never closes anything needs none; dlclose takes
// the dynamic linker's locks anyway.
constinit RealFunction g_close = AUTOTRACE_REAL(dlclose, "GLIBC_2.34");

// A destructor of a library may close others, or end its thread.
class ClosingScope {
 public:
  ClosingScope() : session_(Session::Current()) {
    if (session_ == nullptr || g_state.load(std::memory_order_acquire) != SessionState::kOn) {
      session_ = nullptr;
      return;
    }
    ++t_slot.closes;
    session_->modules().BeginClose();
  }
  ~ClosingScope() {
    if (session_ == nullptr) return;
    session_->modules().EndClose();
    --t_slot.closes;
  }
  ClosingScope(const ClosingScope&) = delete;
  ClosingScope& operator=(const ClosingScope&) = delete;

 private:
  Session* session_;
};

// Result, errno and dlerror() are the real one's.
int Close(void* handle) {
  const auto close = g_close.As<CloseFunction>();
  const ClosingScope closing;
  return close(handle);
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
