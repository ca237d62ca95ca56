// Replaces malloc and operator new by instrumented ones, which the runtime's own allocations and
// the loader's go through as well.
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <memory>
#include <new>
#include <string>
#include <thread>

#include "program.h"

namespace app {

NOINLINE void takes() { Touch(); }
NOINLINE void frees() { Touch(); }

}  // namespace app

// Never gives anything back: each block has its size in front.
static char memory[64 << 20] __attribute__((aligned(16)));
static size_t used = 0;

UNTRACED static void* Take(size_t size, size_t alignment) {
  app::takes();
  if (alignment < 16) alignment = 16;
  const size_t room = (size + 16 + 2 * alignment) & ~size_t{15};
  const size_t begin = __atomic_fetch_add(&used, room, __ATOMIC_RELAXED);
  if (begin + room > sizeof(memory)) {
    errno = ENOMEM;
    return nullptr;
  }
  const uintptr_t at =
      (reinterpret_cast<uintptr_t>(memory) + begin + 16 + alignment - 1) & ~(alignment - 1);
  *reinterpret_cast<size_t*>(at - 16) = size;
  return reinterpret_cast<void*>(at);
}

extern "C" {
void* malloc(size_t size) { return Take(size, 16); }
void* calloc(size_t count, size_t size) { return Take(count * size, 16); }
void* memalign(size_t alignment, size_t size) { return Take(size, alignment); }
void* aligned_alloc(size_t alignment, size_t size) { return Take(size, alignment); }
int posix_memalign(void** result, size_t alignment, size_t size) {
  *result = Take(size, alignment);
  return *result != nullptr ? 0 : ENOMEM;
}
void free(void* block) {
  if (block != nullptr) app::frees();
}
void* realloc(void* block, size_t size) {
  void* larger = Take(size, 16);
  if (larger != nullptr && block != nullptr) {
    const size_t before = static_cast<size_t*>(block)[-2];
    memcpy(larger, block, before < size ? before : size);
    free(block);
  }
  return larger;
}
}

void* operator new(size_t size) {
  void* block = malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept { free(block); }
void operator delete(void* block, size_t) noexcept { free(block); }

namespace app {

NOINLINE void allocates() {
  auto number = std::make_unique<int>(7);
  __asm__ volatile("" ::"r"(number.get()) : "memory");
}
NOINLINE void run() {
  for (int i = 0; i < 3; ++i) allocates();
  void* block = malloc(100);
  __asm__ volatile("" ::"r"(block) : "memory");
  block = realloc(block, 200);
  __asm__ volatile("" ::"r"(block) : "memory");
  free(block);
}

}  // namespace app

UNTRACED int main() {
  // What these allocate is glibc's business; it goes through the same functions.
  std::thread([] UNTRACED { app::run(); }).join();
  if (dlopen("libm.so.6", RTLD_NOW) == nullptr) return 1;
  app::run();
  puts("done");
  return 3;
}
