/* As plugin_decisions.cc, in C. */
#include <stdlib.h>
#include <string.h>

#include <autotrace/c_api.h>

#include "program.h"

static inline int leaf(int value) { return value + 1; }
static inline int loop(int value) {
  int sum = 0;
  while (value-- > 0) sum += value;
  return sum;
}
static inline int once(int value) {
  do {
    ++value;
  } while (0);
  return value;
}
static inline int jump_back(int value) {
again:
  value /= 2;
  if (value > 10) goto again;
  return value;
}
static inline int calls_inline(int value) { return leaf(value) + once(value); }
static inline size_t calls_library(const char* text) { return strlen(text); }
static inline unsigned small_copy(const char* bytes) {
  unsigned value;
  memcpy(&value, bytes, sizeof(value));
  return value;
}
static inline int atomically(int* value) { return __atomic_fetch_add(value, 1, __ATOMIC_SEQ_CST); }
static inline int assembler(int value) {
  __asm__ volatile("" ::: "memory");
  return value;
}
static int out_of_line(int value) { return value + 1; }
static inline int calls_out_of_line(int value) { return out_of_line(value); }
AUTOTRACE_NO_TRACE int marked_no_trace(int value) { return value; }
AUTOTRACE_ALWAYS_TRACE static inline int marked_always(int value) { return value; }

int main(int count, char** arguments) {
  (void)arguments;
  char bytes[16] = "0123456789";
  return leaf(count) + loop(count) + once(count) + jump_back(count) + calls_inline(count) +
                     (int)calls_library(bytes) + (int)small_copy(bytes) + atomically(&count) +
                     assembler(count) + out_of_line(count) + calls_out_of_line(count) +
                     marked_no_trace(count) + marked_always(count) >
                 0
             ? 0
             : 1;
}
