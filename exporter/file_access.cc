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
  FileHandle handle(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (handle.get() < 0) return ErrnoStatus(path);
  struct stat facts;
  if (fstat(handle.get(), &facts) != 0) return ErrnoStatus(path);
  if (!S_ISREG(facts.st_mode)) return absl::InvalidArgumentError(path + ": not a regular file");
  return OpenedFile{std::move(handle), static_cast<uint64_t>(facts.st_size), facts.st_uid,
                    facts.st_dev, facts.st_ino};
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
