#include "cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "cli/strings.h"

namespace autotrace::cli {

absl::StatusOr<OutputFile> OutputFile::Open(const std::string& path) {
  if (path == "-") return OutputFile(stdout, path, "");
  std::string target = path;
  struct stat existing;
  if (stat(path.c_str(), &existing) == 0) {
    if (S_ISDIR(existing.st_mode)) return absl::ErrnoToStatus(EISDIR, path);
    if (!S_ISREG(existing.st_mode)) {
      FILE* file = fopen(path.c_str(), "we");
      if (file == nullptr) return absl::ErrnoToStatus(errno, path);
      return OutputFile(file, path, "");
    }
    // A symbolic link stays one: what it points to is replaced.
    std::error_code error;
    const auto canonical = std::filesystem::canonical(path, error);
    if (!error) target = canonical.string();
  }
  std::string temporary = Concat(target, ".XXXXXX");
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, Concat("cannot write ", path));
  // mkostemp makes a private file; the result has the permissions that any new file would get.
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  FILE* file = fdopen(descriptor, "w");
  if (file == nullptr) {
    const int error = errno;
    close(descriptor);
    unlink(temporary.c_str());
    return absl::ErrnoToStatus(error, path);
  }
  return OutputFile(file, target, temporary);
}

OutputFile::OutputFile(FILE* file, std::string path, std::string temporary_path)
    : file_(file), path_(std::move(path)), temporary_path_(std::move(temporary_path)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, {})) {}

OutputFile::~OutputFile() {
  if (file_ != nullptr && file_ != stdout) fclose(file_);
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
}

absl::Status OutputFile::Commit() {
  const auto failed = [&] {
    return absl::ErrnoToStatus(errno != 0 ? errno : EIO, Concat("cannot write ", path_));
  };
  errno = 0;
  if (fflush(file_) != 0 || ferror(file_) != 0) return failed();
  if (file_ == stdout) return absl::OkStatus();
  if (fclose(std::exchange(file_, nullptr)) != 0) return failed();
  if (temporary_path_.empty()) return absl::OkStatus();
  if (rename(temporary_path_.c_str(), path_.c_str()) != 0) return failed();
  temporary_path_.clear();
  return absl::OkStatus();
}

}  // namespace autotrace::cli
