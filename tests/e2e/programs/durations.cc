// Slow calls (60 ms) and fast ones, for thresholds of 20 ms: far enough apart for a busy machine.
#include <stdexcept>

#include <autotrace/autotrace.h>

#include "program.h"

namespace app {

constexpr uint64_t kSlow = 60'000'000;

NOINLINE void fast() { Touch(); }
NOINLINE void slow() { BusyFor(kSlow); }
NOINLINE void holder() {
  fast();
  slow();
  Touch();
}
NOINLINE void thrower() {
  Touch();
  throw std::runtime_error("broken");
}
NOINLINE void catcher() {
  try {
    thrower();
  } catch (const std::runtime_error&) {
    fast();
  }
}
NOINLINE void with_manual_span() {
  const autotrace::Span span("Manual");
  fast();
}
// Slow only the third time.
NOINLINE void varies(int time) {
  Touch();
  if (time == 2) BusyFor(kSlow);
}
NOINLINE void run() {
  for (int i = 0; i < 5; ++i) fast();
  slow();
  holder();
  catcher();
  with_manual_span();
  for (int i = 0; i < 5; ++i) varies(i);
  Touch();
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
