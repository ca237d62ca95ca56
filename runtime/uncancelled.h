// Code of ours that a thread may not be cancelled in.
#ifndef AUTOTRACE_RUNTIME_UNCANCELLED_H_
#define AUTOTRACE_RUNTIME_UNCANCELLED_H_

#include <pthread.h>

namespace autotrace {

// While one lives, pthread_cancel(3) of the calling thread waits. With PTHREAD_CANCEL_ASYNCHRONOUS
// it strikes at any instruction: what takes locks would keep them, and functions that have
// something to clean up, which can be unwound from calls only, would end the program. What waited
// strikes when the last one ends, which unwinds from there: not to be used where nothing may be
// thrown. Async-signal-safe with glibc.
class Uncancelled {
 public:
  Uncancelled() {
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type_);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state_);
  }
  // In this order: glibc 2.36 forgets what pthread_join(3) is to return of a thread that its
  // pthread_setcancelstate(3) ends.
  ~Uncancelled() noexcept(false) {
    pthread_setcancelstate(state_, nullptr);
    pthread_setcanceltype(type_, nullptr);
  }
  Uncancelled(const Uncancelled&) = delete;
  Uncancelled& operator=(const Uncancelled&) = delete;

 private:
  int type_;
  int state_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_UNCANCELLED_H_
