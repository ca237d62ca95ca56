/* The floor: what two hooks cost that do nothing but read the time stamp counter and store 16 bytes
 * each into a recycled thread-local buffer. Everything that a recorder does beyond this is measured
 * against it. Frozen: changing this file changes every ratio in docs/performance.md. */
#include <stdint.h>
#include <x86intrin.h>

#define HOOK __attribute__((no_instrument_function, visibility("default")))

enum { kEntries = 4096 };
struct entry {
  uint64_t function;
  uint64_t ticks;
};
static __thread __attribute__((tls_model("initial-exec"))) struct entry buffer[kEntries];
static __thread __attribute__((tls_model("initial-exec"))) uint32_t next;

/* Without this the compiler sees that nobody reads the buffer, and stores nothing. */
#define KEEP(entry) __asm__ volatile("" : : "r"(entry) : "memory")

HOOK void __cyg_profile_func_enter(void* function, void* call_site) {
  (void)call_site;
  struct entry* entry = &buffer[next++ % kEntries];
  entry->function = (uint64_t)function;
  entry->ticks = __rdtsc();
  KEEP(entry);
}

HOOK void __cyg_profile_func_exit(void* function, void* call_site) {
  (void)call_site;
  struct entry* entry = &buffer[next++ % kEntries];
  entry->ticks = __rdtsc();
  entry->function = (uint64_t)function;
  KEEP(entry);
}
