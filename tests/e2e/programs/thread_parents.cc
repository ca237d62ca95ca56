// Threads started inside a call, in every way that C++ has, and threads started by threads.
#include <pthread.h>

#include <future>
#include <thread>

#include "program.h"

namespace app {

NOINLINE void part() { Touch(); }
NOINLINE void in_std_thread() {
  part();
  Touch();
}
NOINLINE void in_async() { Touch(); }
NOINLINE void in_pthread() { Touch(); }
NOINLINE void in_inner_thread() { Touch(); }
NOINLINE void in_outer_thread() {
  std::thread(in_inner_thread).join();
  Touch();
}
NOINLINE void detached() {
  BusyFor(20'000'000);
  part();
}
UNTRACED void* Start(void*) {
  in_pthread();
  in_pthread();
  return nullptr;
}
NOINLINE void run() {
  std::thread(in_std_thread).join();
  std::async(std::launch::async, in_async).wait();
  pthread_t thread;
  pthread_create(&thread, nullptr, Start, nullptr);
  pthread_join(thread, nullptr);
  std::thread(in_outer_thread).join();
  Touch();
}
NOINLINE void starts_detached() { std::thread(detached).detach(); }

}  // namespace app

UNTRACED int main() {
  app::run();
  app::starts_detached();
  BusyFor(200'000'000);
  // Nothing is open here: this one has a trace of its own.
  std::thread(app::part).join();
  return 0;
}
