// The instrumentation hooks, and the library's start and end.
//
// GCC and Clang call __cyg_profile_func_enter and _exit in every function compiled with
// -finstrument-functions. glibc exports empty hooks of the same names and comes before this library
// in the look-up order of binaries that the main program did not link against it; so ours are
// exported twice: as AUTOTRACE_1, which binaries linked to us ask for by name, and as GLIBC_2.2.5,
// which binaries that were not ask for, under LD_PRELOAD. A static program is linked with one pair
// of hooks, ours (record_only/CMakeLists.txt).
#include <stdint.h>

#include <vector>

#include "runtime/session.h"
#include "runtime/signal_stack_hooks.h"
#include "runtime/thread_slot.h"

namespace autotrace {
namespace {

inline void SignalFence() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// The rest of a hook when the fast path did not apply. `recorder` is marked as busy; null: there is
// none yet, or none that may be used.
__attribute__((noinline)) void EnterRest(Recorder* recorder, uint64_t function, uint64_t call_site,
                                         uint64_t frame_address) {
  if (recorder == nullptr) {
    recorder = RecorderForThisThread();
    if (recorder == nullptr) return;
    t_slot.active = recorder->inner_of_entries();
    SignalFence();
  } else if (IsLeftBehind()) {
    return;
  }
  recorder->Enter(function, call_site, frame_address);
  SignalFence();
  t_slot.active = recorder;
}

__attribute__((noinline)) void LeaveRest(Recorder* recorder, uint64_t function,
                                         uint64_t frame_address) {
  if (IsLeftBehind()) return;
  recorder->Leave(function, frame_address);
  SignalFence();
  t_slot.active = recorder;
}

__attribute__((always_inline)) inline void Enter(void* function_pointer, void* call_site_pointer,
                                                 uint64_t frame_address) {
  const auto function = reinterpret_cast<uint64_t>(function_pointer);
  const auto call_site = reinterpret_cast<uint64_t>(call_site_pointer);
  Recorder* recorder = t_slot.active;
  if (__builtin_expect(recorder == nullptr, 0)) {
    if (g_state.load(std::memory_order_relaxed) == SessionState::kOff) return;
    return EnterRest(nullptr, function, call_site, frame_address);
  }
  t_slot.active = recorder->inner_of_entries();
  SignalFence();
  if (__builtin_expect(!recorder->EnterFast(function, call_site, frame_address), 0)) {
    return EnterRest(recorder, function, call_site, frame_address);
  }
  SignalFence();
  t_slot.active = recorder;
}

__attribute__((always_inline)) inline void Leave(void* function_pointer, uint64_t frame_address) {
  const auto function = reinterpret_cast<uint64_t>(function_pointer);
  Recorder* recorder = t_slot.active;
  // Without a recorder nothing was entered.
  if (__builtin_expect(recorder == nullptr, 0)) return;
  t_slot.active = recorder->inner_of_others();
  SignalFence();
  if (__builtin_expect(!recorder->LeaveFast(function, frame_address), 0)) {
    return LeaveRest(recorder, function, frame_address);
  }
  SignalFence();
  t_slot.active = recorder;
}

std::vector<HookAddress> HookAddresses();

#if AUTOTRACE_STATIC
// Before the program's own constructors and after its destructors: the first and last place that
// is not reserved.
#define AUTOTRACE_ORDER (101)
#else
// As the library stands among the others: before the constructors of binaries that depend on it and
// after their destructors.
#define AUTOTRACE_ORDER
#endif

__attribute__((constructor AUTOTRACE_ORDER)) void LibraryIsLoaded() {
  Session::StartFromEnvironment(&HookAddresses);
  if (Session::Current() != nullptr) FindOutAboutSignalStacks();
}

__attribute__((destructor AUTOTRACE_ORDER)) void ProgramEnds() {
  if (Session* session = Session::Current()) session->Stop();
}

}  // namespace
}  // namespace autotrace

// The frame address is the caller's stack pointer before the call (the hook's CFA): the lowest
// address of the instrumented function's frame.
#define AUTOTRACE_HOOK extern "C" __attribute__((visibility("default"), no_instrument_function))
#define AUTOTRACE_CFA reinterpret_cast<uint64_t>(__builtin_dwarf_cfa())

AUTOTRACE_HOOK void autotrace_hook_enter(void* function, void* call_site) {
  autotrace::Enter(function, call_site, AUTOTRACE_CFA);
}
AUTOTRACE_HOOK void autotrace_hook_exit(void* function, void*) {
  autotrace::Leave(function, AUTOTRACE_CFA);
}
AUTOTRACE_HOOK void autotrace_hook_enter_libc(void* function, void* call_site) {
  autotrace::Enter(function, call_site, AUTOTRACE_CFA);
}
AUTOTRACE_HOOK void autotrace_hook_exit_libc(void* function, void*) {
  autotrace::Leave(function, AUTOTRACE_CFA);
}

namespace autotrace {
namespace {

std::vector<HookAddress> HookAddresses() {
  return {{reinterpret_cast<uint64_t>(&autotrace_hook_enter), /*is_exit=*/false},
          {reinterpret_cast<uint64_t>(&autotrace_hook_exit), /*is_exit=*/true},
          {reinterpret_cast<uint64_t>(&autotrace_hook_enter_libc), /*is_exit=*/false},
          {reinterpret_cast<uint64_t>(&autotrace_hook_exit_libc), /*is_exit=*/true}};
}

}  // namespace
}  // namespace autotrace

#if AUTOTRACE_STATIC
__asm__(".globl __cyg_profile_func_enter\n\t.set __cyg_profile_func_enter, autotrace_hook_enter");
__asm__(".globl __cyg_profile_func_exit\n\t.set __cyg_profile_func_exit, autotrace_hook_exit");

// Tells `autotracer run` that the runtime is in here, symbols or not.
__asm__(
    ".pushsection .note.autotrace, \"a\", @note\n"
    "  .balign 4\n"
    "  .long 10, 4, 1\n"  // sizes of name and description, type
    "  .asciz \"autotrace\"\n"
    "  .balign 4\n"
    "  .long 1\n"  // version of what the note says
    ".popsection\n");
#else
__asm__(".symver autotrace_hook_enter,__cyg_profile_func_enter@@AUTOTRACE_1");
__asm__(".symver autotrace_hook_exit,__cyg_profile_func_exit@@AUTOTRACE_1");
#if defined(__x86_64__)
__asm__(".symver autotrace_hook_enter_libc,__cyg_profile_func_enter@GLIBC_2.2.5");
__asm__(".symver autotrace_hook_exit_libc,__cyg_profile_func_exit@GLIBC_2.2.5");
#elif defined(__aarch64__)
__asm__(".symver autotrace_hook_enter_libc,__cyg_profile_func_enter@GLIBC_2.17");
__asm__(".symver autotrace_hook_exit_libc,__cyg_profile_func_exit@GLIBC_2.17");
#endif
#endif  // AUTOTRACE_STATIC
