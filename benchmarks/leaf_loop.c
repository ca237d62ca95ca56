/* One small function, called again and again. */

__attribute__((noinline)) unsigned long leaf(unsigned long value) {
  __asm__ volatile("" : "+r"(value));
  return value * 3 + 1;
}

/* Traced itself, so that the calls are children of one root, as in most programs. */
__attribute__((noinline)) static unsigned long loop(unsigned long calls) {
  unsigned long value = 1;
  for (unsigned long i = 0; i < calls; ++i) value = leaf(value);
  __asm__ volatile("" : : "r"(value));
  return calls;
}

#include "workload.h"
