// Exceptions through traced frames: caught further up, rethrown, and inside a destructor.
#include <stdexcept>

#include "program.h"

namespace app {

NOINLINE void after() { Touch(); }
NOINLINE void recover() { Touch(); }
NOINLINE void inner() {
  Touch();
  throw std::runtime_error("broken");
}
NOINLINE void middle() {
  inner();
  Touch();
}
NOINLINE void outer() {
  middle();
  Touch();
}
NOINLINE void rethrower() {
  try {
    middle();
  } catch (const std::runtime_error&) {
    recover();
    throw;
  }
}
struct Guard {
  NOINLINE ~Guard() {
    try {
      inner();
    } catch (const std::runtime_error&) {
      recover();
    }
  }
};
NOINLINE void guarded() {
  const Guard guard;
  middle();
}
NOINLINE void run(void (*thrower)()) {
  try {
    thrower();
  } catch (const std::runtime_error&) {
    recover();
  }
  after();
  Touch();
}

}  // namespace app

int main() {
  app::run(app::outer);
  app::run(app::rethrower);
  app::run(app::guarded);
  return 0;
}
