// A root span below functions that leave none.
#include "program.h"

namespace app {

NOINLINE void child() { Touch(); }
NOINLINE void run() {
  child();
  Touch();
}

}  // namespace app

NOINLINE UNTRACED void inner_setup() {
  app::run();
  Touch();
}
NOINLINE UNTRACED void outer_setup() {
  inner_setup();
  Touch();
}

UNTRACED int main() {
  outer_setup();
  Touch();
  return 0;
}
