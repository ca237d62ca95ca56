// Functions that are short, now and then long, long, and failing, for profiles.
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "program.h"

namespace app {

// Not a leaf: it loops.
NOINLINE int sum(int to) {
  int result = 0;
  for (int i = 0; i < to; ++i) {
    Touch();
    result += i;
  }
  return result;
}

// Its constructor has two names.
struct Part {
  explicit Part(int to);
  int value;
};
NOINLINE Part::Part(int to) : value(sum(to)) { Touch(); }

NOINLINE void rarely_long(int call) {
  if (call % 5000 == 100) BusyFor(50'000);
}
NOINLINE void often_long(int call) {
  if (call % 100 == 0) BusyFor(50'000);
}
NOINLINE void fails() { throw std::runtime_error("short and failing"); }
NOINLINE void never_called() { Touch(); }

NOINLINE void tries() {
  try {
    fails();
  } catch (const std::exception&) {
    Touch();
  }
}

NOINLINE void run(int calls) {
  for (int call = 1; call <= calls; ++call) {
    if (Part(3).value != 3) abort();
    rarely_long(call);
    often_long(call);
  }
  tries();
}

}  // namespace app

UNTRACED int main(int count, char** arguments) {
  if (count > 2 && strcmp(arguments[2], "never") == 0) app::never_called();
  app::run(atoi(arguments[1]));
  return 0;
}
