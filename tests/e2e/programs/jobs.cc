// Says that it is ready, and does as its standard input says, a letter each; answers "done", but to
// the end of a job:
//   j  begins a job, which lasts until
//   e  ends it; says how long it took at most, in nanoseconds
//   o  calls another function
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

namespace {

UNTRACED char NextLetter() {
  char letter;
  return read(STDIN_FILENO, &letter, 1) == 1 ? letter : 0;
}

UNTRACED uint64_t Now() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1000000000u + uint64_t(now.tv_nsec);
}

UNTRACED void Say(const char* what) {
  puts(what);
  fflush(stdout);
}

}  // namespace

namespace app {

NOINLINE void job() {
  Say("done");
  while (NextLetter() != 'e') {
  }
  Touch();
}

NOINLINE void other() { Touch(); }

}  // namespace app

UNTRACED int main() {
  Say("ready");
  for (char letter = NextLetter(); letter != 0; letter = NextLetter()) {
    if (letter == 'j') {
      const uint64_t begin = Now();
      app::job();
      printf("%llu\n", static_cast<unsigned long long>(Now() - begin));
      fflush(stdout);
    } else {
      app::other();
      Say("done");
    }
  }
}
