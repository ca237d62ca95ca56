// A bit of everything that is hard on a tracer and its tools: threads, exceptions, a library that
// is opened and closed, a forked child, and memory that is given and taken. Its first argument is
// the library to open, if any.
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "program.h"

namespace app {

std::mutex total_mutex;
size_t total = 0;

NOINLINE void add(const std::string& text) {
  const std::lock_guard<std::mutex> lock(total_mutex);
  total += text.size();
}

NOINLINE void work(int rounds) {
  for (int i = 0; i < rounds; ++i) add(std::string(static_cast<size_t>(100 + i), 'x'));
}

NOINLINE void threads() {
  std::vector<std::thread> started;
  started.reserve(4);
  for (int i = 0; i < 4; ++i) started.emplace_back(work, 20);
  for (std::thread& thread : started) thread.join();
}

NOINLINE void fails(int depth) {
  const auto held = std::make_unique<std::string>(100, 'y');
  if (depth == 0) throw std::runtime_error("deep in it");
  fails(depth - 1);
  Touch();
}

NOINLINE void catches() {
  try {
    fails(2);
  } catch (const std::runtime_error& error) {
    add(error.what());
  }
}

NOINLINE void opens(const char* library) {
  for (int i = 0; i < 3; ++i) {
    void* opened = dlopen(library, RTLD_NOW);
    if (opened == nullptr) return;
    reinterpret_cast<void (*)(void (*)())>(dlsym(opened, "plugin_run"))(nullptr);
    dlclose(opened);
  }
}

NOINLINE void in_child() { work(2); }

NOINLINE void forks() {
  const pid_t child = fork();
  if (child == 0) {
    in_child();
    exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) add("the child failed");
}

NOINLINE void run(const char* library) {
  threads();
  catches();
  if (library != nullptr) opens(library);
  forks();
  printf("total %zu\n", total);
}

}  // namespace app

int main(int argc, char** argv) {
  app::run(argc > 1 ? argv[1] : nullptr);
  return 3;
}
