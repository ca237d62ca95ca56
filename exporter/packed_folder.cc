#include "exporter/packed_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "exporter/run_names.h"
#include "runtime/control_page.h"
#include "runtime/sent_file.h"

namespace autotrace::exporter {
namespace {

// Of programs that are gone, and of recoveries that were killed.
bool IsPassingFile(std::string_view name) {
  return name.ends_with(kControlSuffix) || name.ends_with(".recovering");
}

FileHandle OpenFolder(const std::string& path) {
  return FileHandle(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

std::vector<std::string> NamesIn(int folder) {
  std::vector<std::string> names;
  const int opened = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opened < 0 ? nullptr : fdopendir(opened),
                                                      closedir);
  if (directory == nullptr) {
    if (opened >= 0) close(opened);
    return names;
  }
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status SomebodyElse(const std::string& path) {
  return absl::AbortedError("another autotracer is at work on " + path);
}

}  // namespace

absl::StatusOr<PackedFolder> PackedFolder::Open(const std::string& path) {
  PackedFolder opened;
  opened.path_ = path;
  opened.folder_ = OpenFolder(path);
  struct stat facts;
  if (opened.folder_.get() < 0 || fstat(opened.folder_.get(), &facts) != 0) {
    return ErrnoStatus(path);
  }
  opened.owner_ = facts.st_uid;
  opened.group_ = facts.st_gid;
  if (flock(opened.folder_.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? SomebodyElse(path) : ErrnoStatus(path);
  }
  opened.List();
  if (absl::Status status = opened.LockSentFiles(); !status.ok()) return status;
  return opened;
}

void PackedFolder::List() {
  files_.clear();
  passing_.clear();
  foreign_.clear();
  for (std::string& name : NamesIn(folder_.get())) {
    struct stat facts;
    // One of another user may be a second name of what only root can read.
    const bool is_file = fstatat(folder_.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
                         S_ISREG(facts.st_mode) && facts.st_uid == owner_;
    if (is_file && IsLastingFile(name)) {
      files_.push_back({std::move(name), static_cast<uint64_t>(facts.st_size), facts.st_ino,
                        static_cast<uint64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 +
                            static_cast<uint64_t>(facts.st_mtim.tv_nsec)});
    } else if (is_file && IsPassingFile(name)) {
      passing_.push_back(std::move(name));
    } else {
      foreign_ = std::move(name);
    }
  }
}

// As who sends a process's spans does (sinks/run_pusher.h).
absl::Status PackedFolder::LockSentFiles() {
  for (const File& file : files_) {
    if (!file.name.ends_with(kSentSuffix)) continue;
    FileHandle opened(
        openat(folder_.get(), file.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (opened.get() >= 0 && flock(opened.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      return SomebodyElse(path_);
    }
    locks_.push_back(std::move(opened));
  }
  return absl::OkStatus();
}

absl::StatusOr<OpenedFile> PackedFolder::OpenFile(const std::string& name) const {
  return OpenForReading("/proc/self/fd/" + std::to_string(folder_.get()) + "/" + name);
}

// Under the other name it is no run: so it goes at once, whatever happens while its files go.
absl::Status PackedFolder::Remove() {
  const std::string removing = path_ + kRemovingSuffix;
  RemoveLeftFolder(removing);
  if (rename(path_.c_str(), removing.c_str()) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(path_);
  }
  const std::vector<File> packed = files_;
  List();
  struct stat facts;
  struct stat renamed;
  const bool is_same = fstat(folder_.get(), &facts) == 0 &&
                       lstat(removing.c_str(), &renamed) == 0 && facts.st_ino == renamed.st_ino &&
                       facts.st_dev == renamed.st_dev;
  if (!is_same || files_ != packed || !foreign_.empty()) {
    if (rename(removing.c_str(), path_.c_str()) != 0) return ErrnoStatus(removing);
    return absl::AbortedError(path_ + " changed while it was packed");
  }
  for (const File& file : files_) unlinkat(folder_.get(), file.name.c_str(), 0);
  for (const std::string& name : passing_) unlinkat(folder_.get(), name.c_str(), 0);
  return rmdir(removing.c_str()) == 0 ? absl::OkStatus() : ErrnoStatus(removing);
}

bool RemoveLeftFolder(const std::string& path) {
  const FileHandle folder = OpenFolder(path);
  if (folder.get() < 0 || flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return false;
  for (const std::string& name : NamesIn(folder.get())) {
    if (IsLastingFile(name) || IsPassingFile(name)) unlinkat(folder.get(), name.c_str(), 0);
  }
  return rmdir(path.c_str()) == 0;
}

uint64_t RemovePackingLeftovers(const std::string& dir) {
  const FileHandle folder = OpenFolder(dir);
  if (folder.get() < 0) return 0;
  uint64_t removed = 0;
  for (const std::string& name : NamesIn(folder.get())) {
    // As long as a run's name is, whatever its process's number has of digits.
    const std::string_view run =
        std::string_view(name).substr(0, name.find('.', name.find('.') + 1));
    if (!IsRunName(run)) continue;
    if (name.ends_with(kPackingSuffix)) {
      const FileHandle file(
          openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (file.get() < 0 || flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
      removed += unlinkat(folder.get(), name.c_str(), 0) == 0 ? 1 : 0;
    } else if (name == std::string(run) + kRemovingSuffix ||
               name == std::string(run) + kUnpackingSuffix) {
      removed += RemoveLeftFolder(dir + "/" + name) ? 1 : 0;
    }
  }
  return removed;
}

}  // namespace autotrace::exporter
