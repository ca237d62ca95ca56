// Reads files that somebody else may be writing, cutting or replacing, and that need not be what
// their names say. Always by pread: a mapping of a file that shrinks kills its reader by SIGBUS.
#ifndef AUTOTRACE_EXPORTER_FILE_ACCESS_H_
#define AUTOTRACE_EXPORTER_FILE_ACCESS_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace autotrace::exporter {

// Owns a file descriptor.
class FileHandle {
 public:
  explicit FileHandle(int descriptor = -1) : descriptor_(descriptor) {}
  FileHandle(FileHandle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileHandle& operator=(FileHandle&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileHandle();

  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

struct OpenedFile {
  FileHandle handle;
  uint64_t size = 0;  // when it was opened
  uid_t owner = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
};

// Opens a regular file for reading. Refuses symbolic links, and devices and pipes without opening
// them: that alone can do something. NotFound when there is none.
absl::StatusOr<OpenedFile> OpenForReading(const std::string& path);

// Removes the file of this name if it is this one. In the folder in which the name stands now, so
// that nobody who can change the path makes it remove another one. False, with errno, when it could
// not.
bool RemoveFile(const std::string& path, uint64_t device, uint64_t inode);

// Reads up to `size` bytes at `offset`; returns how many there were. Errors read as the end.
size_t ReadAt(int descriptor, uint64_t offset, void* buffer, size_t size);

// An absl status for the present errno: "<what>: <strerror>".
absl::Status ErrnoStatus(const std::string& what);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_FILE_ACCESS_H_
