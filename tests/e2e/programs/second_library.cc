// Another library with the same entry point, to be loaded where the first one was.
#include "program.h"

namespace second {

NOINLINE void other() { Touch(); }

}  // namespace second

extern "C" NOINLINE void library_entry() {
  second::other();
  Touch();
}
