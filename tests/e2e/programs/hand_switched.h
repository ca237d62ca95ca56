// Stacks that a program switches between by hand, without a word to anybody: a few lines of
// assembly, as coroutine libraries have them.
#ifndef AUTOTRACE_TESTS_E2E_PROGRAMS_HAND_SWITCHED_H_
#define AUTOTRACE_TESTS_E2E_PROGRAMS_HAND_SWITCHED_H_

#include <stddef.h>
#include <stdint.h>

#include "program.h"

// Pushes what a call has to keep, and goes on where `to` was left.
extern "C" void hand_switch(void** from, void* to);
extern "C" void hand_start();
__asm__(
    ".pushsection .text\n"
    ".globl hand_switch\n"
    ".type hand_switch, @function\n"
    "hand_switch:\n"
    "  endbr64\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n"
    ".size hand_switch, . - hand_switch\n"
    // The first thing that runs on a new stack.
    ".globl hand_start\n"
    ".type hand_start, @function\n"
    "hand_start:\n"
    "  .cfi_startproc\n"
    "  .cfi_undefined %rip\n"
    "  endbr64\n"
    "  mov %r12, %rdi\n"
    "  call *%r13\n"
    "  hlt\n"
    "  .cfi_endproc\n"
    ".size hand_start, . - hand_start\n"
    ".popsection\n");

class Fiber {
 public:
  // Runs body(argument) on this memory when it is first resumed.
  UNTRACED Fiber(void (*body)(void*), void* argument, void* memory, size_t size)
      : body_(body), argument_(argument) {
    auto* top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(memory) + size) & ~15ull);
    *--top = nullptr;
    *--top = nullptr;  // calls are made with the stack pointer at a multiple of 16
    *--top = reinterpret_cast<void*>(&hand_start);
    *--top = nullptr;                          // rbp
    *--top = nullptr;                          // rbx
    *--top = this;                             // r12
    *--top = reinterpret_cast<void*>(&Start);  // r13
    *--top = nullptr;                          // r14
    *--top = nullptr;                          // r15
    here_ = top;
  }
  UNTRACED bool ended() const { return ended_; }
  // Goes on there until it yields or ends.
  UNTRACED void Resume() {
    resumer_ = current;
    current = this;
    hand_switch(&caller_, here_);
  }
  // Back to whoever resumed the fiber that this is called on.
  UNTRACED static void Yield() {
    Fiber* const self = current;
    current = self->resumer_;
    hand_switch(&self->here_, self->caller_);
  }

 private:
  UNTRACED static void Start(void* fiber) {
    auto* self = static_cast<Fiber*>(fiber);
    self->body_(self->argument_);
    self->ended_ = true;
    Yield();
  }

  static inline thread_local Fiber* current = nullptr;

  void (*body_)(void*);
  void* argument_;
  void* here_;
  void* caller_ = nullptr;
  Fiber* resumer_ = nullptr;
  bool ended_ = false;
};

#endif  // AUTOTRACE_TESTS_E2E_PROGRAMS_HAND_SWITCHED_H_
