#include "runtime/private_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace autotrace {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;

}  // namespace

bool MakePrivateFolder(const std::string& path) {
  if (mkdir(path.c_str(), kFolderMode) != 0) return false;
  // A umask may have taken rights from its owner.
  const int folder = OpenOwnFolder(path);
  if (folder < 0) return false;
  struct stat status;
  if (fstat(folder, &status) == 0 && (status.st_mode & kFolderMode) != kFolderMode) {
    chmod(("/proc/self/fd/" + std::to_string(folder)).c_str(), kFolderMode);
  }
  close(folder);
  return true;
}

int MakePrivateFile(int folder, const std::string& name, int flags) {
  constexpr int kNew = O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const int file = openat(folder, name.c_str(), kNew | flags, kFileMode);
  struct stat status;
  if (file >= 0 && fstat(file, &status) == 0 && (status.st_mode & kFileMode) != kFileMode) {
    fchmod(file, kFileMode);
  }
  return file;
}

int OpenOwnFolder(const std::string& path) {
  const int folder = open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return -1;
  struct stat status;
  if (fstat(folder, &status) == 0 && status.st_uid == geteuid()) return folder;
  close(folder);
  errno = EPERM;
  return -1;
}

bool IsOwnFolder(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

}  // namespace autotrace
