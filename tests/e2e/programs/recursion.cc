// Recursion to a depth that no fixed array of frames holds.
#include <stdlib.h>

#include "program.h"

namespace app {

NOINLINE int descend(int depth) {
  Touch();
  const int below = depth > 1 ? descend(depth - 1) : 0;
  Touch();
  return below + 1;
}

}  // namespace app

int main(int, char** argv) { return app::descend(atoi(argv[1])) == atoi(argv[1]) ? 0 : 1; }
