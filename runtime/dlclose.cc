// dlclose(3): the program's own, between two looks at what is there, so that a library that is
// loaded at the same address in the next moment does not get the old one's decisions and names.
//
// Exported like the hooks (hooks.cc): as AUTOTRACE_1, which binaries linked to us ask for by name,
// and under the versions that glibc has it in, which other binaries ask for. Where libc comes
// before this library in the look-up order (a program without it opens a library that is linked to
// it), only the background thread notices.
#include <dlfcn.h>

#include <atomic>

#include "runtime/session.h"

namespace autotrace {
namespace {

using CloseFunction = int (*)(void*);

// The one that would be called without us. Not looked up at start, because a program that never
// closes anything needs none; dlclose takes the loader's lock anyway.
CloseFunction NextClose() {
  static std::atomic<CloseFunction> found{nullptr};
  CloseFunction close = found.load(std::memory_order_relaxed);
  if (close == nullptr) {
    close = reinterpret_cast<CloseFunction>(dlsym(RTLD_NEXT, "dlclose"));
    found.store(close, std::memory_order_relaxed);
  }
  return close;
}

// Its result, errno and dlerror() are the real one's.
int Close(void* handle) {
  const CloseFunction close = NextClose();
  if (close == nullptr) return -1;
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

#define AUTOTRACE_CLOSE extern "C" __attribute__((visibility("default"), no_instrument_function))

AUTOTRACE_CLOSE int autotrace_dlclose(void* handle) { return autotrace::Close(handle); }
AUTOTRACE_CLOSE int autotrace_dlclose_libc(void* handle) { return autotrace::Close(handle); }
AUTOTRACE_CLOSE int autotrace_dlclose_libdl(void* handle) { return autotrace::Close(handle); }

__asm__(".symver autotrace_dlclose,dlclose@@AUTOTRACE_1");
__asm__(".symver autotrace_dlclose_libc,dlclose@GLIBC_2.34");
#if defined(__x86_64__)
__asm__(".symver autotrace_dlclose_libdl,dlclose@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver autotrace_dlclose_libdl,dlclose@GLIBC_2.17");
#endif
