/* A function that calls itself twice, ten levels deep. */

enum { kLevels = 10, kCallsPerTree = (1 << kLevels) - 1 };

__attribute__((noinline)) unsigned long grow(unsigned long value, int level) {
  __asm__ volatile("" : "+r"(value));
  if (level == 1) return value * 3 + 1;
  value = grow(value, level - 1);
  value = grow(value, level - 1);
  __asm__ volatile("" : "+r"(value)); /* or compilers would make a loop of the second call */
  return value;
}

__attribute__((noinline)) static unsigned long loop(unsigned long calls) {
  const unsigned long trees = calls / kCallsPerTree;
  unsigned long value = 1;
  for (unsigned long i = 0; i < trees; ++i) value = grow(value, kLevels);
  __asm__ volatile("" : : "r"(value));
  return trees * kCallsPerTree;
}

#include "workload.h"
