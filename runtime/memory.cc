#include "runtime/memory.h"

#include <sys/mman.h>

#include "symbolizer/raw_syscalls.h"

namespace autotrace {

void* MapMemory(size_t bytes) {
  void* memory = raw::Mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return raw::IsError(memory) ? nullptr : memory;
}

void UnmapMemory(void* memory, size_t bytes) { raw::Munmap(memory, bytes); }

}  // namespace autotrace
