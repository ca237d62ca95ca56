#include "callers.h"

namespace app {

NOINLINE void leaf(int value) {
  REPORT_CALLER();
  (void)value;
}
// A call site inside an inlined function belongs to that function.
__attribute__((always_inline)) inline UNTRACED void inlined() {
  leaf(1);
  Touch();
}
struct Worker {
  NOINLINE void work() {
    REPORT_CALLER();
    leaf(2);
    inlined();
    Touch();
  }
};
NOINLINE void run() {
  REPORT_CALLER();
  Worker().work();
  leaf(3);
  lib::serve(leaf);
  Touch();
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
