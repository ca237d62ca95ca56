/* A C program with the C interface. */
#include <stdio.h>

#include <autotrace/c_api.h>

#include "program.h"

NOINLINE static void step(void) { Touch(); }

NOINLINE void run(void) {
  step();
  autotrace_span span = autotrace_span_begin("By hand", 7);
  autotrace_span_set_int(span, "rows", 4, 7910);
  step();
  autotrace_span_end(span);
  Touch();
}

int main(void) {
  run();
  puts("done");
  return 0;
}
