// Tells whether this is still the process that it was, without a system call: a program may have
// forbidden itself all that it does not need (seccomp), getpid(2) included. A child made by
// clone(2) alone runs no atfork handler, and is told by this.
#ifndef AUTOTRACE_RUNTIME_FORK_MARK_H_
#define AUTOTRACE_RUNTIME_FORK_MARK_H_

#include <stdint.h>
#include <sys/mman.h>

#include "runtime/memory.h"

namespace autotrace {

class ForkMark {
 public:
  // This process from here on. At start, and in an atfork handler.
  void Set() {
    constexpr size_t kPage = 4096;
    if (mark_ == nullptr) {
      mark_ = static_cast<volatile uint32_t*>(MapMemory(kPage));
      if (mark_ == nullptr) return;
      // Linux 4.14. Without it every process looks like this one.
      madvise(const_cast<uint32_t*>(mark_), kPage, MADV_WIPEONFORK);
    }
    *mark_ = 1;
  }
  // False in a child that has its own memory and did not call Set. Async-signal-safe.
  bool IsSameProcess() const { return mark_ == nullptr || *mark_ == 1; }

 private:
  volatile uint32_t* mark_ = nullptr;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_FORK_MARK_H_
