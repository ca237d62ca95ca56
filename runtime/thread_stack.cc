#include "runtime/thread_stack.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "symbolizer/raw_syscalls.h"

// Where the main thread's stack ends; the loader sets and exports it.
extern "C" void* __libc_stack_end;

namespace autotrace {
namespace {

// Of a main thread without a limit. Nothing else lies so close below it.
constexpr uint64_t kUnlimited = uint64_t{64} << 30;
constexpr uint64_t kUsualSize = uint64_t{8} << 20;

uint64_t g_main_thread = 0;  // pthread_self() there; 0 when another thread brought this library in
uint64_t g_main_size = kUsualSize;
uint64_t g_default_size = kUsualSize;

bool IsMainThread(uint64_t self) {
  // In a forked child, the thread that forked, whose stack is no other one now.
  if (g_main_thread != 0) return self == g_main_thread;
  return raw::Syscall(SYS_gettid) == raw::Syscall(SYS_getpid);
}

}  // namespace

void InitializeThreadStacks() {
  if (raw::Syscall(SYS_gettid) == raw::Syscall(SYS_getpid)) {
    g_main_thread = static_cast<uint64_t>(pthread_self());
  }
  rlimit limit = {};
  // The kernel keeps so much free for it, whatever the limit becomes.
  if (getrlimit(RLIMIT_STACK, &limit) == 0) {
    g_main_size = std::min<uint64_t>(limit.rlim_cur, kUnlimited);
  }
  g_default_size = ThreadStackSize(nullptr);
}

uint64_t ThreadStackSize(const pthread_attr_t* attributes) {
  size_t size = 0;
  if (attributes != nullptr) {
    pthread_attr_getstacksize(attributes, &size);
    return size;
  }
  pthread_attr_t defaults;
  if (pthread_attr_init(&defaults) != 0) return kUsualSize;
  pthread_attr_getstacksize(&defaults, &size);
  pthread_attr_destroy(&defaults);
  return size;
}

StackRange OwnStackOfThread(uint64_t size) {
  const auto self = static_cast<uint64_t>(pthread_self());
  if (IsMainThread(self)) {
    const auto end = reinterpret_cast<uint64_t>(__libc_stack_end);
    return {end - std::min(end, g_main_size), end};
  }
  // glibc puts a thread's control block at the top of its stack.
  return {self - std::min(self, size != 0 ? size : g_default_size), self};
}

}  // namespace autotrace
