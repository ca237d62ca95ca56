// Signal handlers on an alternate stack that lies above the thread's own, and on the normal one;
// one that jumps out.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "program.h"

namespace app {

sigjmp_buf target;
bool jump_out = false;

NOINLINE void leaf() { Touch(); }
NOINLINE void handler(int) {
  leaf();
  if (jump_out) siglongjmp(target, 1);
  Touch();
}
NOINLINE void interrupted() {
  leaf();
  raise(SIGUSR1);
  leaf();
}
NOINLINE void jumps() {
  jump_out = true;
  if (sigsetjmp(target, 1) == 0) interrupted();
  jump_out = false;
  leaf();
}
NOINLINE void run() {
  interrupted();
  jumps();
  leaf();
}

}  // namespace app

constexpr size_t kSize = 256 << 10;

UNTRACED static void UseStack(char* low) {
  stack_t stack = {};
  stack.ss_sp = low;
  stack.ss_size = 64 << 10;
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = app::handler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
}

UNTRACED static void* OnThread(void* above) {
  UseStack(static_cast<char*>(above));
  app::run();
  return nullptr;
}

UNTRACED int main() {
  // The thread's own stack in the lower part of a mapping, the signal stack right above it.
  char* memory = static_cast<char*>(
      mmap(nullptr, 2 * kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, memory, kSize);
  pthread_t thread;
  pthread_create(&thread, &attributes, OnThread, memory + kSize);
  pthread_join(thread, nullptr);
  // The main thread's stack is above all mappings.
  UseStack(memory + kSize);
  app::run();
  puts("done");
  return 0;
}
