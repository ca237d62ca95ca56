// A file descriptor of ours in a program that knows nothing of it: daemons close all descriptors
// (closefrom) and open files of their own under the same numbers. So each use asks first whether
// the number still stands for our file. It is a high number, so that those which the program gets
// are the ones that it would get without us. At start and on the background thread only.
#ifndef AUTOTRACE_RUNTIME_OWN_DESCRIPTOR_H_
#define AUTOTRACE_RUNTIME_OWN_DESCRIPTOR_H_

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace autotrace {

class OwnDescriptor {
 public:
  OwnDescriptor() = default;
  ~OwnDescriptor() { Close(); }
  OwnDescriptor(const OwnDescriptor&) = delete;
  OwnDescriptor& operator=(const OwnDescriptor&) = delete;

  // Takes over what open(2) returned; closes what was held before. False, errno kept, when that is
  // no descriptor.
  bool Adopt(int opened) {
    Close();
    struct stat status;
    if (opened < 0) return false;
    const int moved = fcntl(opened, F_DUPFD_CLOEXEC, LowestNumber());
    if (moved >= 0) {
      close(opened);
      opened = moved;
    }
    if (fstat(opened, &status) != 0) return false;
    number_ = opened;
    device_ = status.st_dev;
    inode_ = status.st_ino;
    return true;
  }
  // Opens the same file again, by what `opened` says. False when it is another one.
  bool Readopt(int opened) {
    const dev_t device = device_;
    const ino_t inode = inode_;
    if (!Adopt(opened)) return false;
    if (device_ == device && inode_ == inode) return true;
    Close();
    device_ = device;
    inode_ = inode;
    return false;
  }

  bool IsOpen() const {
    struct stat status;
    return StillStandsFor(&status);
  }
  // Open, but its last name was removed: what is written goes nowhere.
  bool IsDeleted() const {
    struct stat status;
    return StillStandsFor(&status) && status.st_nlink == 0;
  }
  int number() const { return number_; }

  void Close() {
    if (IsOpen()) close(number_);
    number_ = -1;
  }

 private:
  static int LowestNumber() {
    constexpr rlim_t kUsualLimit = 1024;  // select(2) goes no further
    constexpr rlim_t kOurs = 32;
    rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t end = std::min(limit.rlim_cur, kUsualLimit);
    return end > 2 * kOurs ? static_cast<int>(end - kOurs) : 0;
  }
  bool StillStandsFor(struct stat* status) const {
    return number_ >= 0 && fstat(number_, status) == 0 && status->st_dev == device_ &&
           status->st_ino == inode_;
  }

  int number_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_OWN_DESCRIPTOR_H_
