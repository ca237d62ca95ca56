// What the unwinder and the C++ library tell of exceptions: thrown, a frame entered again, caught.
//
// The functions through which a C++ library and its unwinder talk to one another are exported here,
// tell the thread's recorder, and pass on to the real ones. All are exported as old versions only,
// which the dynamic linker takes and the link editor does not, so that no program is ever linked
// against them: as the versions that libstdc++ and libgcc_s have, and as the first version of this
// library, which stands for references without one (libc++abi, LLVM's libunwind). Where a program
// has its C++ library or its unwinder linked in, or another library takes their place before us
// (the address sanitizer), less is seen; docs/guarantees.md says what then.
//
// Functions here run on traced threads in the middle of a throw.
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <atomic>

#include "runtime/exception_text.h"
#include "runtime/thread_slot.h"

namespace autotrace {
namespace {

// One C++ library and its unwinder; the real functions are looked up when first needed, because a
// program in C may load its C++ library late.
class Unwinder {
 public:
  struct Symbol {
    const char* name;
    const char* version;  // null: the default one
    const char* library;  // where it is when it cannot be seen from here
  };

  template <typename Function>
  static Function Real(std::atomic<void*>* place, const Symbol& symbol) {
    void* found = place->load(std::memory_order_acquire);
    if (__builtin_expect(found == nullptr, 0)) {
      found = LookUp(symbol);
      // Somebody called it by this name, so it exists.
      if (found == nullptr) abort();
      place->store(found, std::memory_order_release);
    }
    return reinterpret_cast<Function>(found);
  }

  static void* LookUp(const Symbol& symbol) {
    const int error_number = errno;
    void* found = Find(RTLD_NEXT, symbol);
    if (found == nullptr) {
      void* library = dlopen(symbol.library, RTLD_LAZY | RTLD_NOLOAD);
      if (library != nullptr) found = Find(library, symbol);
    }
    errno = error_number;
    return found;
  }

 private:
  static void* Find(void* scope, const Symbol& symbol) {
    return symbol.version != nullptr ? dlvsym(scope, symbol.name, symbol.version)
                                     : dlsym(scope, symbol.name);
  }
};

// The exception that the unwinder is about to enter a frame for. Personality routines hand it to
// the landing pad in the first of the registers for exceptions, and then set the address. That is
// DWARF register 0 on x86-64 and on AArch64 (__builtin_eh_return_data_regno(0)).
constexpr int kExceptionRegister = 0;
thread_local constinit const _Unwind_Exception* t_landing
    __attribute__((tls_model("initial-exec"))) = nullptr;

template <typename Work>
void TellRecorder(Work work) {
  // Null: nothing was ever recorded on this thread, or this is our own code.
  if (t_slot.active != nullptr) WithRecorder(t_slot.active, work);
}

__attribute__((noinline)) void TellRaised(const _Unwind_Exception* exception, CppLibrary* library,
                                          bool again, uint64_t frame_address) {
  RaisedException raised;
  if (!ParseException(exception, library, &raised)) return;
  raised.again |= again;
  TellRecorder([&](Recorder* recorder) { recorder->ExceptionRaised(raised, frame_address); });
}

__attribute__((noinline)) void TellLanding(uint64_t stack_pointer, CppLibrary* library) {
  const _Unwind_Exception* exception = t_landing;
  t_landing = nullptr;
  if (exception == nullptr) return;
  RaisedException raised;
  const bool is_cpp = ParseException(exception, library, &raised);
  TellRecorder([&](Recorder* recorder) {
    if (is_cpp) {
      recorder->UnwoundTo(stack_pointer, raised);
    } else {
      recorder->JumpedTo(stack_pointer);  // a thread that is cancelled or ends itself
    }
  });
}

__attribute__((noinline)) void TellCaught(const _Unwind_Exception* exception, CppLibrary* library) {
  RaisedException raised;
  if (!ParseException(exception, library, &raised)) return;
  TellRecorder([&](Recorder* recorder) { recorder->ExceptionCaught(raised.object); });
}

CppLibrary g_gnu = {"libstdc++.so.6", "GLIBCXX_3.4"};
CppLibrary g_other = {"libc++abi.so.1", nullptr};

}  // namespace
}  // namespace autotrace

// Defines the five functions for one C++ library: `gcc3`, `gcc33` and `cxx` are the versions of the
// real ones (null: the default), `unwinder` and `library` the files that hold them. They end in
// tail calls: the unwinder sees no frame of ours.
#define AUTOTRACE_UNWIND_HOOKS(suffix, which, gcc3, gcc33, cxx, unwinder, library)                \
  AUTOTRACE_INTERPOSED _Unwind_Reason_Code autotrace_raise_##suffix(                              \
      _Unwind_Exception* exception) {                                                             \
    static std::atomic<void*> place;                                                              \
    autotrace::TellRaised(exception, &autotrace::which, false, AUTOTRACE_CFA);                    \
    return autotrace::Unwinder::Real<_Unwind_Reason_Code (*)(_Unwind_Exception*)>(                \
        &place, {"_Unwind_RaiseException", gcc3, unwinder})(exception);                           \
  }                                                                                               \
  AUTOTRACE_INTERPOSED _Unwind_Reason_Code autotrace_rethrow_##suffix(                            \
      _Unwind_Exception* exception) {                                                             \
    static std::atomic<void*> place;                                                              \
    autotrace::TellRaised(exception, &autotrace::which, true, AUTOTRACE_CFA);                     \
    return autotrace::Unwinder::Real<_Unwind_Reason_Code (*)(_Unwind_Exception*)>(                \
        &place, {"_Unwind_Resume_or_Rethrow", gcc33, unwinder})(exception);                       \
  }                                                                                               \
  AUTOTRACE_INTERPOSED void autotrace_set_register_##suffix(_Unwind_Context* context, int number, \
                                                            _Unwind_Word value) {                 \
    static std::atomic<void*> place;                                                              \
    if (number == autotrace::kExceptionRegister) {                                                \
      autotrace::t_landing = reinterpret_cast<const _Unwind_Exception*>(value);                   \
    }                                                                                             \
    return autotrace::Unwinder::Real<void (*)(_Unwind_Context*, int, _Unwind_Word)>(              \
        &place, {"_Unwind_SetGR", gcc3, unwinder})(context, number, value);                       \
  }                                                                                               \
  AUTOTRACE_INTERPOSED void autotrace_set_address_##suffix(_Unwind_Context* context,              \
                                                           _Unwind_Ptr address) {                 \
    static std::atomic<void*> place;                                                              \
    static std::atomic<void*> place_of_cfa;                                                       \
    if (autotrace::t_slot.active != nullptr) {                                                    \
      const auto get_cfa = autotrace::Unwinder::Real<_Unwind_Word (*)(_Unwind_Context*)>(         \
          &place_of_cfa, {"_Unwind_GetCFA", gcc33, unwinder});                                    \
      autotrace::TellLanding(get_cfa(context), &autotrace::which);                                \
    }                                                                                             \
    return autotrace::Unwinder::Real<void (*)(_Unwind_Context*, _Unwind_Ptr)>(                    \
        &place, {"_Unwind_SetIP", gcc3, unwinder})(context, address);                             \
  }                                                                                               \
  AUTOTRACE_INTERPOSED void* autotrace_begin_catch_##suffix(void* exception) {                    \
    static std::atomic<void*> place;                                                              \
    autotrace::TellCaught(static_cast<const _Unwind_Exception*>(exception), &autotrace::which);   \
    return autotrace::Unwinder::Real<void* (*)(void*)>(                                           \
        &place, {"__cxa_begin_catch", cxx, library})(exception);                                  \
  }

#define AUTOTRACE_INTERPOSED extern "C" __attribute__((visibility("default")))
#define AUTOTRACE_CFA reinterpret_cast<uint64_t>(__builtin_dwarf_cfa())

AUTOTRACE_UNWIND_HOOKS(gnu, g_gnu, "GCC_3.0", "GCC_3.3", "CXXABI_1.3", "libgcc_s.so.1",
                       "libstdc++.so.6")
AUTOTRACE_UNWIND_HOOKS(other, g_other, nullptr, nullptr, nullptr, "libunwind.so.1",
                       "libc++abi.so.1")

__asm__(".symver autotrace_raise_gnu,_Unwind_RaiseException@GCC_3.0");
__asm__(".symver autotrace_rethrow_gnu,_Unwind_Resume_or_Rethrow@GCC_3.3");
__asm__(".symver autotrace_set_register_gnu,_Unwind_SetGR@GCC_3.0");
__asm__(".symver autotrace_set_address_gnu,_Unwind_SetIP@GCC_3.0");
__asm__(".symver autotrace_begin_catch_gnu,__cxa_begin_catch@CXXABI_1.3");
// The first version in exports.map: the one that references without a version are given.
__asm__(".symver autotrace_raise_other,_Unwind_RaiseException@GLIBC_2.2.5");
__asm__(".symver autotrace_rethrow_other,_Unwind_Resume_or_Rethrow@GLIBC_2.2.5");
__asm__(".symver autotrace_set_register_other,_Unwind_SetGR@GLIBC_2.2.5");
__asm__(".symver autotrace_set_address_other,_Unwind_SetIP@GLIBC_2.2.5");
__asm__(".symver autotrace_begin_catch_other,__cxa_begin_catch@GLIBC_2.2.5");
