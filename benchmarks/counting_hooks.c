/* Counts calls of hooked functions, of all threads, and prints the number to standard error at the
 * end. */
#include <stdio.h>

#define HOOK __attribute__((no_instrument_function, visibility("default")))

static unsigned long calls;

HOOK void __cyg_profile_func_enter(void* function, void* call_site) {
  (void)function;
  (void)call_site;
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
}

HOOK void __cyg_profile_func_exit(void* function, void* call_site) {
  (void)function;
  (void)call_site;
}

__attribute__((destructor, no_instrument_function)) static void print_calls(void) {
  fprintf(stderr, "hooked calls: %lu\n", calls);
}
