#include "exporter/file_writing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "exporter/file_access.h"
#include "runtime/write_without_signal.h"

namespace autotrace::exporter {

absl::Status WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = WriteWithoutSignal(file, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int error = written < 0 ? errno : EIO;
      return absl::Status(absl::ErrnoToStatusCode(error), strerror(error));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

bool KeepOwner(int file, uid_t owner, gid_t group) {
  return geteuid() != 0 || owner == 0 || fchown(file, owner, group) == 0;
}

absl::Status SyncFolder(const std::string& path) {
  const FileHandle folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.get() >= 0 && fsync(folder.get()) == 0 ? absl::OkStatus() : ErrnoStatus(path);
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

}  // namespace autotrace::exporter
