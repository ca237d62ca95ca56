// The one thread that the runtime adds to a program. Blocks all signals, so that no handler of the
// program ever runs on it; needs no lock of the program's.
#ifndef AUTOTRACE_RUNTIME_BACKGROUND_THREAD_H_
#define AUTOTRACE_RUNTIME_BACKGROUND_THREAD_H_

#include <pthread.h>
#include <stdint.h>

#include <atomic>

namespace autotrace {

class BackgroundThread {
 public:
  // Starts a thread that calls run(argument). False when there is none to be had.
  bool Start(void (*run)(void* argument), void* argument);
  // Waits until `run` has returned, at most so long; false when it has not.
  bool Join(uint64_t timeout_nanos);
  bool started() const { return started_.load(std::memory_order_relaxed); }
  bool is_running() const { return started() && finished_.load(std::memory_order_acquire) == 0; }
  // In a forked child, where it does not exist.
  void Forget() { started_.store(false, std::memory_order_relaxed); }

 private:
  static void* Main(void* self);

  void (*run_)(void*) = nullptr;
  void* argument_ = nullptr;
  pthread_t thread_{};
  std::atomic<bool> started_{false};
  std::atomic<uint32_t> finished_{0};  // a futex
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_BACKGROUND_THREAD_H_
