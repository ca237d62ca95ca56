// Has an allocator of its own, with a lock that it does not care about when it forks: it has one
// thread. Forks many times; each child allocates.
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
alignas(16) char memory[size_t{1} << 30];
size_t used = 0;

// The size stands before the memory.
UNTRACED void* Allocate(size_t size) {
  pthread_mutex_lock(&mutex);
  char* found = memory + used + 16;
  used += (size + 31) & ~size_t{15};
  memcpy(found - 16, &size, sizeof(size));
  // So that it is held for a while.
  BusyFor(10'000);
  pthread_mutex_unlock(&mutex);
  return found;
}

}  // namespace

extern "C" {
UNTRACED void* malloc(size_t size) { return Allocate(size); }
UNTRACED void free(void*) {}
UNTRACED void* calloc(size_t count, size_t size) { return Allocate(count * size); }
UNTRACED void* realloc(void* old, size_t size) {
  void* found = Allocate(size);
  size_t old_size = 0;
  if (old != nullptr) memcpy(&old_size, static_cast<char*>(old) - 16, sizeof(old_size));
  memcpy(found, old, old_size < size ? old_size : size);
  return found;
}
UNTRACED void* memalign(size_t, size_t size) { return Allocate(size); }
UNTRACED void* aligned_alloc(size_t, size_t size) { return Allocate(size); }
}

namespace app {

NOINLINE void allocates() { free(malloc(10)); }

NOINLINE void forks() {
  for (int i = 0; i < 50; ++i) allocates();  // for a reader to read
  const pid_t child = fork();
  if (child == 0) {
    allocates();
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

}  // namespace app

int main(int, char** argv) {
  for (int i = atoi(argv[1]); i > 0; --i) app::forks();
  puts("done");
  return 0;
}
