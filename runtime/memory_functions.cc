// memcpy, memmove and memset for this library alone: exports.map keeps them in here.
//
// The compiler calls them, and so does libstdc++ in here. Through libc they would be the program's
// own or a sanitizer's: traced code would call hooks from inside a hook, and ThreadSanitizer would
// see the ring's records as races, because what orders them is invisible to it.
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

extern "C" void* memcpy(void* __restrict target, const void* __restrict source, size_t size) {
  void* at = target;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(source), "+c"(size) : : "memory");
  return target;
}

extern "C" void* memset(void* target, int value, size_t size) {
  void* at = target;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
  return target;
}

extern "C" void* memmove(void* target, const void* source, size_t size) {
  // Forwards is right unless the target begins inside the source.
  if (reinterpret_cast<uintptr_t>(target) - reinterpret_cast<uintptr_t>(source) >= size) {
    return memcpy(target, source, size);
  }
  void* to = static_cast<char*>(target) + size - 1;
  const void* from = static_cast<const char*>(source) + size - 1;
  __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(size) : : "memory", "cc");
  return target;
}

#endif
