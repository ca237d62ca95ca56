#include "exporter/run_unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "exporter/byte_source.h"
#include "exporter/file_access.h"
#include "exporter/file_writing.h"
#include "exporter/pack_reader.h"
#include "exporter/packed_folder.h"
#include "runtime/private_files.h"

namespace autotrace::exporter {
namespace {

class Unpacker {
 public:
  Unpacker(const PackReader& pack, OpenedFile file)
      : pack_(pack), owner_(file.owner), source_(std::move(file)) {}

  // Makes the folder `draft` with all files in it.
  absl::Status Write(const std::string& draft) {
    RemoveLeftFolder(draft);
    if (!MakePrivateFolder(draft)) return ErrnoStatus("cannot make " + draft);
    const FileHandle folder(open(draft.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.get() < 0) return ErrnoStatus(draft);
    flock(folder.get(), LOCK_EX | LOCK_NB);  // so that nobody takes it for left
    absl::Status status = GiveAway(folder.get());
    for (const auto& [name, member] : pack_.members()) {
      if (status.ok()) status = WriteMember(folder.get(), name, member);
    }
    if (status.ok() && fsync(folder.get()) != 0) status = ErrnoStatus(draft);
    return status;
  }

 private:
  absl::Status WriteMember(int folder, const std::string& name, const PackMember& member) {
    const FileHandle file(MakePrivateFile(folder, name, O_WRONLY));
    if (file.get() < 0) return ErrnoStatus(name);
    if (absl::Status status = GiveAway(file.get()); !status.ok()) return status;
    uint64_t written = 0;
    for (const PackedFrame& frame : member.frames) {
      const auto bytes = ReadFrame(source_, frame);
      if (!bytes.ok() || frame.header.offset != written) return Damaged();
      absl::Status status = WriteAll(file.get(), *bytes);
      if (!status.ok())
        return absl::Status(status.code(),
                            "cannot write " + name + ": " + std::string(status.message()));
      written += bytes->size();
    }
    if (written != member.size) return Damaged();
    return fsync(file.get()) == 0 ? absl::OkStatus() : ErrnoStatus(name);
  }
  absl::Status GiveAway(int file) const {
    if (KeepOwner(file, owner_, static_cast<gid_t>(-1))) return absl::OkStatus();
    return ErrnoStatus("cannot give away what was unpacked");
  }
  absl::Status Damaged() const {
    return absl::DataLossError(pack_.path() + " is damaged: it can be read, but not unpacked");
  }
  const PackReader& pack_;
  const uid_t owner_;
  FileSource source_;
};

}  // namespace

absl::StatusOr<std::string> UnpackRun(const Run& run) {
  const std::string folder = FolderOf(run.path) + run.name;
  struct stat facts;
  if (lstat(folder.c_str(), &facts) == 0)
    return absl::AlreadyExistsError(folder + " is there as well");
  absl::StatusOr<OpenedFile> file = OpenForReading(run.path);
  if (!file.ok()) return file.status();
  if (flock(file->handle.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AbortedError("another autotracer is at work on " + run.path);
  }
  // Under the lock: it may have been unpacked, and packed again, until a moment ago.
  const absl::StatusOr<std::shared_ptr<const PackReader>> pack = PackReader::Open(run.path);
  if (!pack.ok()) return pack.status();
  if (!(*pack)->damage().empty()) {
    return absl::DataLossError(run.path + " is damaged: it can be read, but not unpacked");
  }
  const std::string draft = folder + kUnpackingSuffix;
  Unpacker unpacker(**pack, *std::move(file));  // with the lock
  absl::Status status = unpacker.Write(draft);
  if (status.ok() &&
      renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, folder.c_str(), RENAME_NOREPLACE) != 0) {
    status = ErrnoStatus(folder);
  }
  if (status.ok()) status = SyncFolder(FolderOf(folder));
  if (!status.ok()) {
    RemoveLeftFolder(draft);
    return status;
  }
  if (unlink(run.path.c_str()) != 0) return ErrnoStatus(run.path);
  return folder;
}

}  // namespace autotrace::exporter
