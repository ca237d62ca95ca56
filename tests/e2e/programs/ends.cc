// Ends a program or a thread deep in a tree, in the way that its first argument names; before that
// it waits for as many milliseconds as its second one says.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "program.h"

namespace app {

const char* how = "";
unsigned wait_milliseconds = 0;

bool Is(const char* word) UNTRACED;
bool Is(const char* word) { return strcmp(how, word) == 0; }

NOINLINE void fails() {
  usleep(wait_milliseconds * 1000);
  throw std::runtime_error("nobody catches this");
}
NOINLINE void must_not_fail() noexcept {
  fails();
  Touch();
}
std::atomic<bool> is_waiting{false};
NOINLINE void waits_to_be_cancelled() {
  is_waiting = true;
  for (;;) pause();
}
NOINLINE void ends() {
  puts("ends here");
  fflush(stdout);
  usleep(wait_milliseconds * 1000);
  if (Is("exit")) exit(3);
  if (Is("_exit")) _exit(3);
  if (Is("quick_exit")) quick_exit(3);
  if (Is("abort")) abort();
  if (Is("segv")) raise(SIGSEGV);
  if (Is("noexcept")) must_not_fail();
  if (Is("uncaught")) fails();
  if (Is("pthread_exit")) pthread_exit(nullptr);
  if (Is("pthread_cancel")) waits_to_be_cancelled();
  Touch();
}
NOINLINE void deeper() {
  ends();
  Touch();
}
NOINLINE void run() {
  deeper();
  Touch();
}
NOINLINE void after() { Touch(); }

}  // namespace app

UNTRACED static void* InThread(void*) {
  app::run();
  return nullptr;
}

UNTRACED int main(int argument_count, char** arguments) {
  app::how = arguments[1];
  if (argument_count > 2) app::wait_milliseconds = static_cast<unsigned>(atoi(arguments[2]));
  if (app::Is("pthread_exit") || app::Is("pthread_cancel")) {
    pthread_t thread;
    pthread_create(&thread, nullptr, InThread, nullptr);
    if (app::Is("pthread_cancel")) {
      while (!app::is_waiting) usleep(1000);
      pthread_cancel(thread);
    }
    pthread_join(thread, nullptr);
  } else if (app::Is("escaping")) {
    std::thread([] UNTRACED { app::fails(); }).join();
  } else {
    app::run();
  }
  app::after();
  return 0;
}
