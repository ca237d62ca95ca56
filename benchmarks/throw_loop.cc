// Throws an exception through a number of functions and catches it, again and again. Arguments:
// throws, functions. Prints nanoseconds per throw.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

namespace {

double Now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

}  // namespace

namespace app {

__attribute__((noinline)) void descend(int depth) {
  if (depth <= 1) throw std::runtime_error("refused");
  descend(depth - 1);
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) int attempt(int depth) {
  try {
    descend(depth);
  } catch (const std::runtime_error&) {
    return 1;
  }
  return 0;
}

}  // namespace app

__attribute__((no_instrument_function)) int main(int, char** arguments) {
  const int throws = atoi(arguments[1]);
  const int depth = atoi(arguments[2]);
  int caught = 0;
  const double start = Now();
  for (int i = 0; i < throws; ++i) caught += app::attempt(depth);
  printf("%.1f\n", (Now() - start) / throws);
  return caught == throws ? 0 : 1;
}
