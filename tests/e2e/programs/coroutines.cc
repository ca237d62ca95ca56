// C++20 generators, resumed by different callers and by different threads.
#include <coroutine>
#include <cstdio>
#include <exception>
#include <thread>

#include "program.h"

struct Generator {
  struct promise_type {
    int value = 0;
    UNTRACED Generator get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    UNTRACED std::suspend_always initial_suspend() { return {}; }
    UNTRACED std::suspend_always final_suspend() noexcept { return {}; }
    UNTRACED std::suspend_always yield_value(int given) {
      value = given;
      return {};
    }
    UNTRACED void return_void() {}
    UNTRACED void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

namespace app {

NOINLINE void step() { Touch(); }
NOINLINE Generator produce() {
  for (int i = 0; i < 3; ++i) {
    step();
    co_yield i;
  }
}
NOINLINE int next(Generator& generator) {
  generator.handle.resume();
  Touch();
  return generator.handle.promise().value;
}
NOINLINE void in_thread(Generator* generator) {
  next(*generator);
  Touch();
}
NOINLINE void run() {
  Generator generator = produce();
  int sum = next(generator);
  std::thread(in_thread, &generator).join();
  sum += next(generator);
  generator.handle.destroy();
  printf("%d\n", sum);
}

}  // namespace app

UNTRACED int main() {
  app::run();
  return 0;
}
