// A library: a traced function that calls back into whoever uses it.
#include "library.h"

#include "program.h"

namespace lib {

NOINLINE static void local() { Touch(); }

NOINLINE void serve(void (*callback)()) {
  local();
  callback();
  Touch();
}

}  // namespace lib

UNTRACED static void ignore() { Touch(); }

// For dlsym.
extern "C" NOINLINE void library_entry() {
  lib::serve(ignore);
  Touch();
}
