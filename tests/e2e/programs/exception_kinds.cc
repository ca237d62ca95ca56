// Exceptions that take other ways than from a function to its caller's handler. Prints what the
// program itself sees of them.
#include <stdio.h>
#include <stdlib.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "program.h"

namespace errors {

struct NotStandard {
  int code;
};
class Custom : public std::runtime_error {
 public:
  explicit Custom(int code) : std::runtime_error("code " + std::to_string(code)) {}
};
// The second base: a handler for std::exception gets another address than the object's.
struct Named {
  virtual ~Named() = default;
  long name = 7;
};
class Both : public Named, public std::logic_error {
 public:
  Both() : std::logic_error("second base") {}
};

}  // namespace errors

namespace app {

// ---- From a constructor, with a member that is destroyed.
struct Member {
  NOINLINE Member() { Touch(); }
  NOINLINE ~Member() { Touch(); }
};
struct Thrower {
  Member member;
  NOINLINE Thrower() { throw errors::Custom(1); }
};
NOINLINE void constructs() {
  const Thrower thrower;
  Touch();
}

// ---- Through frames of the C library, which have no hooks.
NOINLINE int compare(const void*, const void*) {
  Touch();
  throw errors::NotStandard{2};
}
NOINLINE void sorts() {
  int numbers[] = {2, 1};
  qsort(numbers, 2, sizeof(int), compare);
  Touch();
}

// ---- Kept, and thrown again later.
std::exception_ptr kept;
NOINLINE void original() {
  Touch();
  throw errors::Both();
}
NOINLINE void keeps() {
  try {
    original();
  } catch (...) {
    kept = std::current_exception();
  }
  Touch();
}
NOINLINE void throws_kept() {
  std::rethrow_exception(kept);
  Touch();
}

// ---- While another one is on its way.
NOINLINE void inner_failure() {
  Touch();
  throw errors::Custom(4);
}
struct Cleaner {
  NOINLINE ~Cleaner() {
    try {
      inner_failure();
    } catch (const std::exception& error) {
      printf("cleaned %s\n", error.what());
    }
    Touch();
  }
};
NOINLINE void fails_with_cleaner() {
  const Cleaner cleaner;
  Touch();
  throw errors::Custom(3);
}

// ---- Caught where it is thrown.
NOINLINE void catches_its_own() {
  try {
    throw errors::Custom(5);
  } catch (const errors::Custom& error) {
    printf("own %s\n", error.what());
  }
  Touch();
}

// ---- Many times in a loop, so that nothing may be left over from one to the next.
NOINLINE void fails_sometimes(int round) {
  Touch();
  if (round % 2 == 0) throw errors::Custom(round);
}
NOINLINE void loops() {
  int caught = 0;
  for (int round = 0; round < 6; ++round) {
    try {
      fails_sometimes(round);
    } catch (const errors::Custom&) {
      ++caught;
    }
  }
  printf("caught %d\n", caught);
}

NOINLINE void run(void (*action)()) {
  try {
    action();
  } catch (const errors::NotStandard& error) {
    printf("not standard %d\n", error.code);
  } catch (const std::exception& error) {
    printf("%s\n", error.what());
  }
  Touch();
}

}  // namespace app

int main() {
  app::run(app::constructs);
  app::run(app::sorts);
  app::run(app::keeps);
  app::run(app::throws_kept);
  app::run(app::fails_with_cleaner);
  app::run(app::catches_its_own);
  app::run(app::loops);
  app::kept = nullptr;
  return 0;
}
