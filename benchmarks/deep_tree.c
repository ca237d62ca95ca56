/* 64 functions, each of which calls the next one: as deep as the stacks of large programs. */

#define INNERMOST(name)                                               \
  __attribute__((noinline)) unsigned long name(unsigned long value) { \
    __asm__ volatile("" : "+r"(value));                               \
    return value * 3 + 1;                                             \
  }
#define LEVEL(name, next)                                             \
  __attribute__((noinline)) unsigned long name(unsigned long value) { \
    __asm__ volatile("" : "+r"(value));                               \
    return next(value) + 1;                                           \
  }
#define EIGHT_LEVELS(name, next) \
  LEVEL(name##7, next)           \
  LEVEL(name##6, name##7)        \
  LEVEL(name##5, name##6)        \
  LEVEL(name##4, name##5)        \
  LEVEL(name##3, name##4)        \
  LEVEL(name##2, name##3)        \
  LEVEL(name##1, name##2)        \
  LEVEL(name##0, name##1)

INNERMOST(level_77)
LEVEL(level_76, level_77)
LEVEL(level_75, level_76)
LEVEL(level_74, level_75)
LEVEL(level_73, level_74)
LEVEL(level_72, level_73)
LEVEL(level_71, level_72)
LEVEL(level_70, level_71)
EIGHT_LEVELS(level_6, level_70)
EIGHT_LEVELS(level_5, level_60)
EIGHT_LEVELS(level_4, level_50)
EIGHT_LEVELS(level_3, level_40)
EIGHT_LEVELS(level_2, level_30)
EIGHT_LEVELS(level_1, level_20)
EIGHT_LEVELS(level_0, level_10)

enum { kLevels = 64 };

__attribute__((noinline)) static unsigned long loop(unsigned long calls) {
  const unsigned long descents = calls / kLevels;
  unsigned long value = 1;
  for (unsigned long i = 0; i < descents; ++i) value = level_00(value);
  __asm__ volatile("" : : "r"(value));
  return descents * kLevels;
}

#include "workload.h"
