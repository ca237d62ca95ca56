// Manual spans between automatic ones.
#include <stdio.h>

#include <string>

#include <autotrace/autotrace.h>

#include "program.h"

namespace app {

NOINLINE void inner() { Touch(); }
NOINLINE int compute() {
  inner();
  return 7;
}
NOINLINE UNTRACED void hidden() {
  const autotrace::Span span("In a hidden function");
  inner();
}
NOINLINE int run() {
  {
    autotrace::Span outer("Outer", {{"text", std::string("x")}, {"count", 3}, {"ratio", 0.5}});
    inner();
    outer.SetAttribute("flag", true);
    {
      autotrace::Span nested("Nested");
      nested.SetAttribute("key", "first");
      nested.SetAttribute("key", "second");
    }
  }
  const int seven = autotrace::Traced("Traced", {{"size", int64_t{-1}}}, compute);
  hidden();
  Touch();
  return seven;
}

}  // namespace app

int main() {
  printf("%d recording=%d\n", app::run(), autotrace::Recording() ? 1 : 0);
  return 0;
}
