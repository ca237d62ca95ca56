#include "runtime/background_thread.h"

#include <signal.h>
#include <stddef.h>

#include "runtime/clock.h"
#include "runtime/futex.h"
#include "runtime/program_libraries.h"

// In programs built with AddressSanitizer or LeakSanitizer.
extern "C" __attribute__((weak)) void __lsan_disable();

namespace autotrace {
namespace {

// Enough for libraries that read debug information or encrypt, and a quarter of the usual: a
// program may be allowed only so much address space, and have two of these threads at its start.
constexpr size_t kStackBytes = size_t{2} << 20;

}  // namespace

void* BackgroundThread::Main(void* self) {
  // What this thread holds while the program forks is nobody's in the child. It would be a leak
  // there, and the child's exit status another one.
  if (&__lsan_disable != nullptr) __lsan_disable();
  auto* thread = static_cast<BackgroundThread*>(self);
  thread->run_(thread->argument_);
  thread->finished_.store(1, std::memory_order_release);
  FutexWake(&thread->finished_);
  return nullptr;
}

bool BackgroundThread::Start(void (*run)(void* argument), void* argument) {
  run_ = run;
  argument_ = argument;
  finished_.store(0, std::memory_order_relaxed);
  // It inherits the mask, so that no signal can reach it even at its very beginning.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, kStackBytes);
  // (Larger by default where the thread-local memory of the program's libraries would not fit.)
  const bool started = CreateOwnThread()(&thread_, &small, &Main, this) == 0 ||
                       CreateOwnThread()(&thread_, nullptr, &Main, this) == 0;
  pthread_attr_destroy(&small);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (started) {
    pthread_setname_np(thread_, "autotrace");
    pthread_detach(thread_);
  }
  started_.store(started, std::memory_order_relaxed);
  return started;
}

bool BackgroundThread::Join(uint64_t timeout_nanos) {
  const uint64_t deadline = MonotonicNanos() + timeout_nanos;
  while (started() && finished_.load(std::memory_order_acquire) == 0) {
    const uint64_t now = MonotonicNanos();
    if (now >= deadline) return false;
    FutexWait(&finished_, 0, deadline - now);
  }
  Forget();
  return true;
}

}  // namespace autotrace
