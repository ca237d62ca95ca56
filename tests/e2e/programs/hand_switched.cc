// Fibers that nobody announces. The first argument says where their stacks lie: "heap" (allocated
// one by one), "maps" (each a mapping with a guard page), "array" (side by side in one static
// array), "back" (the same from its end).
#include "hand_switched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <stdexcept>
#include <thread>

constexpr size_t kStackSize = 32 << 10;
constexpr int kStacks = 8;
static const char* where = "";
static int used = 0;
alignas(16) static char array[kStacks][kStackSize];

UNTRACED static void* NewStack() {
  const int number = used++ % kStacks;
  if (strcmp(where, "array") == 0) return array[number];
  if (strcmp(where, "back") == 0) return array[kStacks - 1 - number];
  if (strcmp(where, "heap") == 0) return malloc(kStackSize);
  char* memory = static_cast<char*>(mmap(nullptr, kStackSize + 4096, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
  mprotect(memory, 4096, PROT_NONE);
  return memory + 4096;
}

namespace app {

NOINLINE void step() { Touch(); }
NOINLINE void next(Fiber* fiber) {
  fiber->Resume();
  Touch();
}

// ---- A generator that is resumed from different places

NOINLINE void deeper() {
  step();
  Fiber::Yield();
  step();
}
NOINLINE void produce(void*) {
  for (int i = 0; i < 2; ++i) deeper();
  step();
}
NOINLINE void other_caller(Fiber* fiber) {
  next(fiber);
  Touch();
}
NOINLINE void generates() {
  Fiber fiber(produce, nullptr, NewStack(), kStackSize);
  next(&fiber);
  other_caller(&fiber);
  next(&fiber);
  step();
}

// ---- The same function open on three stacks, and exits as the first thing after a switch

NOINLINE void walk(void* below) {
  if (below != nullptr) static_cast<Fiber*>(below)->Resume();
  if (below == nullptr) Fiber::Yield();
  Touch();
}
NOINLINE void walks() {
  Fiber inner(walk, nullptr, NewStack(), kStackSize);
  Fiber outer(walk, &inner, NewStack(), kStackSize);
  walk(&outer);
  inner.Resume();
  Touch();
}

// ---- A loop that gives several fibers their turns

NOINLINE void works(void*) {
  step();
  Fiber::Yield();
  step();
}
NOINLINE void schedules() {
  Fiber first(works, nullptr, NewStack(), kStackSize);
  Fiber second(works, nullptr, NewStack(), kStackSize);
  Fiber third(works, nullptr, NewStack(), kStackSize);
  while (!third.ended()) {
    first.Resume();
    second.Resume();
    third.Resume();
  }
  step();
}

// ---- Exceptions, and large frames

NOINLINE void fails() { throw std::runtime_error("on a fiber"); }
NOINLINE void tries(void*) {
  try {
    fails();
  } catch (const std::exception& error) {
    step();
  }
  Fiber::Yield();
  Touch();
}
NOINLINE void large_here(size_t size) {
  auto* memory = static_cast<volatile char*>(__builtin_alloca(size));
  memory[0] = memory[size - 1] = 1;
  step();
  memory[0] = memory[size - 1];
}
NOINLINE void large_there(void* size) {
  auto* memory = static_cast<volatile char*>(__builtin_alloca(*static_cast<size_t*>(size)));
  memory[0] = 1;
  step();
  Fiber::Yield();
  step();
  memory[1] = memory[0];
}
NOINLINE void extremes() {
  Fiber trier(tries, nullptr, NewStack(), kStackSize);
  next(&trier);
  large_here(3 << 20);
  next(&trier);
  constexpr size_t kLarge = 1 << 20;
  size_t size = kLarge - (32 << 10);
  Fiber large(large_there, &size, malloc(kLarge), kLarge);
  next(&large);
  large_here(size);
  next(&large);
}

// ---- Resumed by another thread, while the first one goes on

NOINLINE void in_thread(Fiber* fiber) {
  next(fiber);
  step();
}
NOINLINE void hands_over() {
  Fiber fiber(produce, nullptr, NewStack(), kStackSize);
  next(&fiber);
  std::thread(in_thread, &fiber).join();
  next(&fiber);
}

NOINLINE void run() {
  generates();
  walks();
  schedules();
  extremes();
  hands_over();
}

}  // namespace app

UNTRACED int main(int, char** arguments) {
  where = arguments[1];
  app::run();
  puts("done");
  return 0;
}
