#include "exporter/file_access.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace autotrace::exporter {

FileHandle::~FileHandle() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<OpenedFile> OpenForReading(const std::string& path) {
  const FileHandle found(open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
  if (found.get() < 0) return ErrnoStatus(path);
  struct stat facts;
  if (fstat(found.get(), &facts) != 0) return ErrnoStatus(path);
  if (!S_ISREG(facts.st_mode)) return absl::InvalidArgumentError(path + ": not a regular file");
  // The very file that was looked at.
  FileHandle handle(
      open(("/proc/self/fd/" + std::to_string(found.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (handle.get() < 0) return ErrnoStatus(path);
  return OpenedFile{std::move(handle), static_cast<uint64_t>(facts.st_size), facts.st_uid,
                    facts.st_dev, facts.st_ino};
}

bool RemoveFile(const std::string& path, uint64_t device, uint64_t inode) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = path.substr(slash + 1);
  const FileHandle opened(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat facts;
  if (opened.get() < 0 || fstatat(opened.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT;
  }
  if (facts.st_dev != device || facts.st_ino != inode) return true;
  return unlinkat(opened.get(), name.c_str(), 0) == 0 || errno == ENOENT;
}

size_t ReadAt(int descriptor, uint64_t offset, void* buffer, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(descriptor, static_cast<char*>(buffer) + done, size - done,
                              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::Status ErrnoStatus(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

}  // namespace autotrace::exporter
