// writev(2) for any thread: growing past RLIMIT_FSIZE is an error and nothing else. (It raises
// SIGXFSZ, which the background thread blocks, and other threads that write at the program's start
// and end do not.)
#ifndef AUTOTRACE_RUNTIME_WRITE_WITHOUT_SIGNAL_H_
#define AUTOTRACE_RUNTIME_WRITE_WITHOUT_SIGNAL_H_

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>

#include <string_view>

namespace autotrace {

inline ssize_t WriteWithoutSignal(int file, const iovec* pieces, int count) {
  sigset_t too_large;
  sigset_t before;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &too_large, &before);
  const ssize_t written = writev(file, pieces, count);
  const int error = errno;
  if (sigismember(&before, SIGXFSZ) == 0) {
    const timespec at_once = {0, 0};
    if (written < 0 && error == EFBIG) sigtimedwait(&too_large, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  errno = error;
  return written;
}

inline ssize_t WriteWithoutSignal(int file, std::string_view bytes) {
  const iovec whole = {const_cast<char*>(bytes.data()), bytes.size()};
  return WriteWithoutSignal(file, &whole, 1);
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_WRITE_WITHOUT_SIGNAL_H_
