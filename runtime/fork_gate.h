// Keeps a thread of ours still while the program forks. Such a thread uses the program's allocator
// and libc; what is locked at a fork stays locked in the child, and a program that has no other
// thread has no reason to expect that.
//
// One thread goes in and out; any number of threads may close the gate at the same time.
#ifndef AUTOTRACE_RUNTIME_FORK_GATE_H_
#define AUTOTRACE_RUNTIME_FORK_GATE_H_

#include <stdint.h>

#include <atomic>

#include "runtime/clock.h"
#include "runtime/futex.h"

namespace autotrace {

class ForkGate {
 public:
  // Our thread: inside while it works, not while it sleeps. Goes in when no fork is on its way.
  class Inside {
   public:
    explicit Inside(ForkGate* gate) : gate_(gate) { gate_->Enter(); }
    ~Inside() { gate_->Leave(); }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    ForkGate* gate_;
  };

  // Before a fork: nobody goes in any more. Waits, but not longer than this, for who is inside;
  // false when that one stayed there.
  bool Close(uint64_t timeout_nanos) {
    closed_.fetch_add(1, std::memory_order_seq_cst);
    const uint64_t deadline = MonotonicNanos() + timeout_nanos;
    while (inside_.load(std::memory_order_seq_cst) != 0) {
      const uint64_t now = MonotonicNanos();
      if (now >= deadline) return false;
      FutexWait(&inside_, 1, deadline - now);
    }
    return true;
  }
  // After it, in the parent.
  void Open() {
    if (closed_.fetch_sub(1, std::memory_order_seq_cst) == 1) FutexWake(&closed_);
  }
  // After it, in the child, where there is no thread of ours.
  void Reset() {
    closed_.store(0, std::memory_order_relaxed);
    inside_.store(0, std::memory_order_relaxed);
  }

 private:
  void Enter() {
    for (;;) {
      inside_.store(1, std::memory_order_seq_cst);
      const uint32_t closed = closed_.load(std::memory_order_seq_cst);
      if (closed == 0) return;
      Leave();
      FutexWait(&closed_, closed, 1'000'000'000);
    }
  }
  void Leave() {
    inside_.store(0, std::memory_order_seq_cst);
    if (closed_.load(std::memory_order_seq_cst) != 0) FutexWake(&inside_);
  }

  std::atomic<uint32_t> closed_{0};  // how many forks are on their way; a futex
  std::atomic<uint32_t> inside_{0};  // a futex
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_FORK_GATE_H_
