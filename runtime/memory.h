// Memory for traced threads: straight from the kernel, zeroed, without malloc, lock or errno.
#ifndef AUTOTRACE_RUNTIME_MEMORY_H_
#define AUTOTRACE_RUNTIME_MEMORY_H_

#include <stddef.h>

namespace autotrace {

// Private anonymous memory, touched lazily; null when there is none. Async-signal-safe.
void* MapMemory(size_t bytes);
void UnmapMemory(void* memory, size_t bytes);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MEMORY_H_
