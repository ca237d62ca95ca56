// A class whose copy constructor, assignment and destructor the compiler writes.
#include "program.h"

namespace app {

struct Part {
  int value = 0;
  NOINLINE Part() { Touch(); }
  NOINLINE Part(const Part& other) : value(other.value) { Touch(); }
  NOINLINE Part& operator=(const Part& other) {
    value = other.value;
    Touch();
    return *this;
  }
  NOINLINE ~Part() { Touch(); }
};

struct Whole {
  Part part;
};

struct Defaulted {
  Part part;
  Defaulted() = default;
  ~Defaulted() = default;
};

NOINLINE void run() {
  Whole whole;
  Whole copy = whole;
  copy = whole;
  Defaulted defaulted;
  Touch();
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
