// Calls functions very often, as its argument says, a letter each, or without one its standard
// input, where it answers "done" to each:
//   t  tiny, which is always short
//   n  named, the same
//   r  rare, not so often
//   o  once, which is slow the first time
//   e  thrower, which throws once
//   w  walk, which is open meanwhile and calls itself
//   S  a slow call of each but walk
//   p  waits a while
#include <stdio.h>
#include <unistd.h>

#include "program.h"

namespace {

constexpr int kOften = 12'000;
constexpr uint64_t kSlow = 20'000'000;

UNTRACED void Work(bool slow) {
  if (slow) BusyFor(kSlow);
  Touch();
}

// As long as the tracer may take to notice something.
UNTRACED void Wait() { usleep(500'000); }

}  // namespace

namespace app {

NOINLINE void tiny(bool slow) { Work(slow); }
NOINLINE void named(bool slow) { Work(slow); }
NOINLINE void rare(bool slow) { Work(slow); }
NOINLINE void once(bool slow) { Work(slow); }
NOINLINE void thrower(bool slow, bool throws) {
  if (throws) throw 1;
  Work(slow);
}
NOINLINE void walk(int calls) {
  for (int i = 0; i < calls; ++i) walk(0);
  if (calls > 0) {
    Wait();
    for (int i = 0; i < calls; ++i) walk(0);
  }
  Touch();
}

}  // namespace app

UNTRACED static void Do(char letter) {
  const int times = letter == 'r' ? 1000 : kOften;
  if (letter == 'w') return app::walk(kOften);
  if (letter == 'p') return Wait();
  if (letter == 'o') app::once(true);
  if (letter == 'e') {
    try {
      app::thrower(false, true);
    } catch (int) {
    }
  }
  if (letter == 'S') {
    app::tiny(true);
    app::named(true);
    app::rare(true);
    app::once(true);
    return app::thrower(true, false);
  }
  for (int i = 0; i < times; ++i) {
    if (letter == 't') app::tiny(false);
    if (letter == 'n') app::named(false);
    if (letter == 'r') app::rare(false);
    if (letter == 'o') app::once(false);
    if (letter == 'e') app::thrower(false, false);
  }
}

UNTRACED int main(int argc, char** argv) {
  if (argc > 1) {
    for (const char* letter = argv[1]; *letter != 0; ++letter) Do(*letter);
    return 0;
  }
  puts("ready");
  fflush(stdout);
  for (char letter; read(STDIN_FILENO, &letter, 1) == 1;) {
    Do(letter);
    puts("done");
    fflush(stdout);
  }
}
