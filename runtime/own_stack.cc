#include "runtime/own_stack.h"

#include <stddef.h>

#include <atomic>

#include "runtime/memory.h"

// A few instructions that do nothing unless the program runs under valgrind.
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id)
#endif

extern "C" void autotrace_call_on_stack(void* stack_top, void (*function)(void*), void* argument);

#if defined(__x86_64__)
__asm__(
    ".pushsection .text\n"
    ".type autotrace_call_on_stack, @function\n"
    ".hidden autotrace_call_on_stack\n"
    "autotrace_call_on_stack:\n"
    ".cfi_startproc\n"
    "  endbr64\n"
    "  push %rbp\n"
    ".cfi_def_cfa_offset 16\n"
    ".cfi_offset %rbp, -16\n"
    "  mov %rsp, %rbp\n"
    ".cfi_def_cfa_register %rbp\n"
    "  mov %rdi, %rsp\n"
    "  mov %rdx, %rdi\n"
    "  call *%rsi\n"
    "  mov %rbp, %rsp\n"
    "  pop %rbp\n"
    ".cfi_def_cfa %rsp, 8\n"
    "  ret\n"
    ".cfi_endproc\n"
    ".size autotrace_call_on_stack, . - autotrace_call_on_stack\n"
    ".popsection\n");
#endif

namespace autotrace {
namespace {

constexpr size_t kStackBytes = size_t{1} << 20;
// One stack is kept for the next caller: first sights come in bursts.
std::atomic<void*> kept_stack{nullptr};

// Valgrind takes a switch to a stack that it does not know, and that lies near the old one, for a
// change of the old one's size, and what is in between for undefined from then on. Where a stack
// grows to last stands by which number valgrind knows it.
void* MapStack() {
  void* stack = MapMemory(kStackBytes);
  if (stack != nullptr && RUNNING_ON_VALGRIND) {
    *static_cast<unsigned*>(stack) =
        VALGRIND_STACK_REGISTER(stack, static_cast<char*>(stack) + kStackBytes);
  }
  return stack;
}

void UnmapStack(void* stack) {
  if (RUNNING_ON_VALGRIND) VALGRIND_STACK_DEREGISTER(*static_cast<unsigned*>(stack));
  UnmapMemory(stack, kStackBytes);
}

}  // namespace

bool CallOnOwnStack(void (*function)(void* argument), void* argument) {
#if defined(__x86_64__)
  void* stack = kept_stack.exchange(nullptr, std::memory_order_acquire);
  if (stack == nullptr) stack = MapStack();
  if (stack == nullptr) return false;
  autotrace_call_on_stack(static_cast<char*>(stack) + kStackBytes, function, argument);
  void* none = nullptr;
  if (!kept_stack.compare_exchange_strong(none, stack, std::memory_order_release)) {
    UnmapStack(stack);
  }
#else
  function(argument);
#endif
  return true;
}

}  // namespace autotrace
