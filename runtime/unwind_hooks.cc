// What the unwinder and the C++ library tell of exceptions: thrown, a frame entered again, caught.
//
// The functions through which a C++ library and its unwinder talk to one another are exported here,
// tell the thread's recorder, and pass on to the real ones. All are exported as old versions only,
// which the dynamic linker takes and the link editor does not, so that no program is ever linked
// against them: as the versions that libstdc++ and libgcc_s have, and as the first version of this
// library, which stands for references without one (libc++abi, LLVM's libunwind). Where a program
// has its C++ library or its unwinder linked in, or another library takes their place before us
// (the address sanitizer), less is seen: docs/guarantees.md says what then. A static program has
// one C++ library and one unwinder, whichever they are, linked in and wrapped (real_function.h).
//
// Functions here run on traced threads in the middle of a throw.
#include <dlfcn.h>
#include <stdint.h>
#include <unwind.h>

#include "runtime/exception_text.h"
#include "runtime/program_libraries.h"
#include "runtime/real_function.h"
#include "runtime/thread_slot.h"

#if AUTOTRACE_STATIC
// Called, not replaced. The unwinder that is hidden inside the archive has this function, too;
// record_only/CMakeLists.txt gives the program's its name.
extern "C" void __real__Unwind_GetCFA() __asm__("autotrace_programs_get_cfa");
#endif

namespace autotrace {
namespace {

// A C++ library and its unwinder.
struct CppRuntime {
  CppLibrary library;
  RealFunction raise;
  RealFunction rethrow;
  RealFunction set_register;
  RealFunction set_address;
  RealFunction get_cfa;
  RealFunction begin_catch;
};

constinit CppRuntime g_gnu = {
    {"libstdc++.so.6", "GLIBCXX_3.4"},
    AUTOTRACE_REAL(_Unwind_RaiseException, "GCC_3.0", "libgcc_s.so.1"),
    AUTOTRACE_REAL(_Unwind_Resume_or_Rethrow, "GCC_3.3", "libgcc_s.so.1"),
    AUTOTRACE_REAL(_Unwind_SetGR, "GCC_3.0", "libgcc_s.so.1"),
    AUTOTRACE_REAL(_Unwind_SetIP, "GCC_3.0", "libgcc_s.so.1"),
    AUTOTRACE_REAL(_Unwind_GetCFA, "GCC_3.3", "libgcc_s.so.1"),
    AUTOTRACE_REAL(__cxa_begin_catch, "CXXABI_1.3", "libstdc++.so.6"),
};
#if !AUTOTRACE_STATIC
constinit CppRuntime g_unversioned = {
    {"libc++abi.so.1", nullptr},
    AUTOTRACE_REAL(_Unwind_RaiseException, nullptr, "libunwind.so.1"),
    AUTOTRACE_REAL(_Unwind_Resume_or_Rethrow, nullptr, "libunwind.so.1"),
    AUTOTRACE_REAL(_Unwind_SetGR, nullptr, "libunwind.so.1"),
    AUTOTRACE_REAL(_Unwind_SetIP, nullptr, "libunwind.so.1"),
    AUTOTRACE_REAL(_Unwind_GetCFA, nullptr, "libunwind.so.1"),
    AUTOTRACE_REAL(__cxa_begin_catch, nullptr, "libc++abi.so.1"),
};
#endif

// Where the unwinder is about to enter a frame. Personality routines hand the exception to the
// landing pad in the first of the registers for exceptions, and the number of the handler in the
// second one, and then set the address. These are DWARF registers 0 and 1 on x86-64 and on AArch64
// (__builtin_eh_return_data_regno).
constexpr int kExceptionRegister = 0;
constexpr int kHandlerRegister = 1;
struct Landing {
  const _Unwind_Exception* exception;  // null: none
  uint64_t handler;                    // 0: only cleans up
};
constinit thread_local Landing t_landing __attribute__((tls_model("initial-exec"))) = {};

// Nothing was ever recorded on this thread, or this is our own code.
bool NobodyListens() { return t_slot.active == nullptr; }

// Is the beginning of a handler told by the C++ library that `caller` is in? Not when that is
// linked into the program.
bool CatchIsTold(CppRuntime* runtime, const void* caller) {
  const void* begin_catch = runtime->begin_catch.Find();
  return begin_catch != nullptr && InSameBinary(caller, begin_catch);
}

// `caller` is in the C++ library, wherever that is.
__attribute__((noinline)) void TellRaised(CppRuntime* runtime, const _Unwind_Exception* exception,
                                          bool again, uint64_t frame_address, const void* caller) {
  RaisedException raised;
  if (NobodyListens() || !ParseException(exception, &runtime->library, &raised)) return;
  raised.again |= again;
  raised.catch_is_told = CatchIsTold(runtime, caller);
  WithRecorder(t_slot.active,
               [&](Recorder* recorder) { recorder->ExceptionRaised(raised, frame_address); });
}

// `caller` is in the C++ library: its personality routine.
__attribute__((noinline)) void TellLanding(CppRuntime* runtime, _Unwind_Context* context,
                                           const void* caller) {
  const Landing landing = t_landing;
  t_landing = {};
  if (NobodyListens() || landing.exception == nullptr) return;
  using GetCfa = _Unwind_Word (*)(_Unwind_Context*);
  const uint64_t stack_pointer = runtime->get_cfa.As<GetCfa>()(context);
  RaisedException raised;
  const bool is_cpp = ParseException(landing.exception, &runtime->library, &raised);
  raised.catch_is_told = CatchIsTold(runtime, caller);
  LeaveInterruptedHooks(stack_pointer);
  WithRecorder(t_slot.active, [&](Recorder* recorder) {
    if (is_cpp) {
      recorder->UnwoundTo(stack_pointer, raised, landing.handler != 0);
    } else {
      recorder->JumpedTo(stack_pointer);  // a thread that is cancelled or ends itself
    }
  });
}

__attribute__((noinline)) void TellCaught(CppRuntime* runtime, const void* exception) {
  RaisedException raised;
  if (NobodyListens() || !ParseException(static_cast<const _Unwind_Exception*>(exception),
                                         &runtime->library, &raised)) {
    return;
  }
  WithRecorder(t_slot.active,
               [&](Recorder* recorder) { recorder->ExceptionCaught(raised.object); });
}

void NoteRegister(int number, uint64_t value) {
  if (number == kExceptionRegister) {
    t_landing.exception = reinterpret_cast<const _Unwind_Exception*>(value);
  } else if (number == kHandlerRegister) {
    t_landing.handler = value;
  }
}

using Raise = _Unwind_Reason_Code (*)(_Unwind_Exception*);
using SetRegister = void (*)(_Unwind_Context*, int, _Unwind_Word);
using SetAddress = void (*)(_Unwind_Context*, _Unwind_Ptr);
using Pointer = void*;
using BeginCatch = Pointer (*)(void*);

}  // namespace
}  // namespace autotrace

#define AUTOTRACE_CFA reinterpret_cast<uint64_t>(__builtin_dwarf_cfa())
#define AUTOTRACE_CALLER __builtin_return_address(0)

// The five functions for one C++ runtime. They end in tail calls: the unwinder sees no frame of
// ours.
#define AUTOTRACE_UNWIND_HOOKS(suffix, runtime)                                                   \
  AUTOTRACE_INTERPOSED _Unwind_Reason_Code autotrace_raise_##suffix(                              \
      _Unwind_Exception* exception) {                                                             \
    TellRaised(&(runtime), exception, false, AUTOTRACE_CFA, AUTOTRACE_CALLER);                    \
    return (runtime).raise.As<Raise>()(exception);                                                \
  }                                                                                               \
  AUTOTRACE_INTERPOSED _Unwind_Reason_Code autotrace_rethrow_##suffix(                            \
      _Unwind_Exception* exception) {                                                             \
    TellRaised(&(runtime), exception, true, AUTOTRACE_CFA, AUTOTRACE_CALLER);                     \
    return (runtime).rethrow.As<Raise>()(exception);                                              \
  }                                                                                               \
  AUTOTRACE_INTERPOSED void autotrace_set_register_##suffix(_Unwind_Context* context, int number, \
                                                            _Unwind_Word value) {                 \
    NoteRegister(number, value);                                                                  \
    return (runtime).set_register.As<SetRegister>()(context, number, value);                      \
  }                                                                                               \
  AUTOTRACE_INTERPOSED void autotrace_set_address_##suffix(_Unwind_Context* context,              \
                                                           _Unwind_Ptr address) {                 \
    TellLanding(&(runtime), context, AUTOTRACE_CALLER);                                           \
    return (runtime).set_address.As<SetAddress>()(context, address);                              \
  }                                                                                               \
  AUTOTRACE_INTERPOSED Pointer autotrace_begin_catch_##suffix(void* exception) {                  \
    TellCaught(&(runtime), exception);                                                            \
    return (runtime).begin_catch.As<BeginCatch>()(exception);                                     \
  }

namespace autotrace {
AUTOTRACE_UNWIND_HOOKS(gnu, g_gnu)
#if !AUTOTRACE_STATIC
AUTOTRACE_UNWIND_HOOKS(unversioned, g_unversioned)
#endif
}  // namespace autotrace

AUTOTRACE_REPLACE(autotrace_raise_gnu, _Unwind_RaiseException, "GCC_3.0");
AUTOTRACE_REPLACE(autotrace_rethrow_gnu, _Unwind_Resume_or_Rethrow, "GCC_3.3");
AUTOTRACE_REPLACE(autotrace_set_register_gnu, _Unwind_SetGR, "GCC_3.0");
AUTOTRACE_REPLACE(autotrace_set_address_gnu, _Unwind_SetIP, "GCC_3.0");
AUTOTRACE_REPLACE(autotrace_begin_catch_gnu, __cxa_begin_catch, "CXXABI_1.3");
#if !AUTOTRACE_STATIC
// The first version in exports.map: the one that references without a version are given.
AUTOTRACE_REPLACE(autotrace_raise_unversioned, _Unwind_RaiseException, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_rethrow_unversioned, _Unwind_Resume_or_Rethrow, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_set_register_unversioned, _Unwind_SetGR, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_set_address_unversioned, _Unwind_SetIP, "GLIBC_2.2.5");
AUTOTRACE_REPLACE(autotrace_begin_catch_unversioned, __cxa_begin_catch, "GLIBC_2.2.5");
#endif
