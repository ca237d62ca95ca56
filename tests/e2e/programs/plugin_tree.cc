// Functions that every optimizer inlines and that have hooks nevertheless, and leaves that have
// none with the compiler plugin.
#include <autotrace/c_api.h>

#include "program.h"

namespace app {

struct Counter {
  int count = 0;
  int next() { return ++count; }
  AUTOTRACE_ALWAYS_TRACE int shown() { return ++count; }
};

// Not NOINLINE, and small: nothing is left of these but their hooks.
static int doubled(int value) { return value * 2; }
inline int both(Counter& counter) { return doubled(counter.next()) + doubled(counter.shown()); }

NOINLINE int run() {
  Counter counter;
  return both(counter) + counter.next();
}

}  // namespace app

namespace other {
NOINLINE void work() { Touch(); }
}  // namespace other

int main() {
  other::work();
  return app::run() == 9 ? 0 : 1;
}
