#include "exporter/run_packer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "exporter/byte_source.h"
#include "exporter/file_access.h"
#include "exporter/file_writing.h"
#include "exporter/pack_reader.h"
#include "exporter/packed_folder.h"
#include "exporter/process_liveness.h"
#include "exporter/recover.h"
#include "exporter/run_files.h"
#include "runtime/private_files.h"

namespace autotrace::exporter {
namespace {

absl::Status CannotWrite(const std::string& path, const absl::Status& why) {
  return absl::Status(why.code(), "cannot write " + path + ": " + std::string(why.message()));
}

// A file that is not under its name yet, and goes with the object if it does not come under it.
class Draft {
 public:
  // In the folder where `path` is to be.
  static absl::StatusOr<Draft> Make(const std::string& path, const PackedFolder& model) {
    Draft draft;
    const FileHandle folder(open(FolderOf(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number)) return ErrnoStatus(path);
    const std::string name = BaseName(path) + absl::StrFormat(".%08x", number) + kPackingSuffix;
    draft.file_ = FileHandle(folder.get() < 0 ? -1 : MakePrivateFile(folder.get(), name, O_WRONLY));
    if (draft.file_.get() < 0) return ErrnoStatus("cannot write " + path);
    draft.path_ = FolderOf(path) + name;
    // So that who removes what was left leaves it alone.
    flock(draft.file_.get(), LOCK_EX | LOCK_NB);
    if (!KeepOwner(draft.file_.get(), model.owner(), model.group())) {
      return ErrnoStatus("cannot write " + path);
    }
    return draft;
  }
  Draft(Draft&& other) noexcept
      : file_(std::move(other.file_)), path_(std::exchange(other.path_, {})) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!path_.empty()) unlink(path_.c_str());
  }

  int file() const { return file_.get(); }
  const std::string& path() const { return path_; }
  absl::Status Rename(const std::string& path) {
    if (rename(path_.c_str(), path.c_str()) != 0) return ErrnoStatus("cannot write " + path);
    path_.clear();
    return SyncFolder(FolderOf(path));
  }

 private:
  Draft() = default;
  FileHandle file_;
  std::string path_;
};

// Counts what was packed, and then what was compared.
class Progress {
 public:
  Progress(const PackOptions& options, uint64_t total) : tell_(options.progress), total_(total) {}
  void Advance(uint64_t bytes) {
    done_ += bytes;
    if (tell_) tell_(done_, total_);
  }

 private:
  const std::function<void(uint64_t done, uint64_t total)>& tell_;
  const uint64_t total_;
  uint64_t done_ = 0;
};

absl::StatusOr<std::unique_ptr<ByteSource>> OpenFile(const PackedFolder& folder,
                                                     const std::string& name) {
  absl::StatusOr<OpenedFile> file = folder.OpenFile(name);
  if (!file.ok()) return file.status();
  return std::make_unique<FileSource>(*std::move(file));
}

absl::Status WritePack(const PackedFolder& folder, std::string_view run_name, int level,
                       const std::string& path, const Draft& draft, Progress* progress) {
  PackWriter writer(draft.file(), level, [&](uint64_t bytes) { progress->Advance(bytes); });
  absl::Status status = writer.Begin();
  for (const PackedFolder::File& file : folder.files()) {
    if (!status.ok()) break;
    auto source = OpenFile(folder, file.name);
    if (!source.ok()) return source.status();
    status = writer.AddMember(file.name, source->get());
  }
  if (status.ok()) status = writer.Finish(run_name);
  if (!status.ok()) return CannotWrite(path, status);
  return fsync(draft.file()) == 0 ? absl::OkStatus() : ErrnoStatus("cannot write " + path);
}

absl::Status Compare(ByteSource* packed, ByteSource* original, const std::string& name,
                     Progress* progress) {
  constexpr size_t kPiece = size_t{1} << 20;
  std::string left(kPiece, '\0');
  std::string right(kPiece, '\0');
  bool is_same = packed->size() == original->size();
  for (uint64_t offset = 0; is_same && offset < original->size(); offset += kPiece) {
    const size_t size = std::min<uint64_t>(kPiece, original->size() - offset);
    is_same = packed->ReadAt(offset, left.data(), size, size) == size &&
              original->ReadAt(offset, right.data(), size, size) == size &&
              std::string_view(left).substr(0, size) == std::string_view(right).substr(0, size);
    progress->Advance(size);
  }
  return is_same ? absl::OkStatus()
                 : absl::DataLossError(name + " is another one unpacked than it was: not packed");
}

absl::Status CheckPack(const PackedFolder& folder, const std::string& path, Progress* progress) {
  const auto pack = PackReader::Open(path);
  if (!pack.ok()) return pack.status();
  for (const PackedFolder::File& file : folder.files()) {
    const auto packed = (*pack)->OpenMember(file.name);
    if (!packed.ok()) return packed.status();
    const auto original = OpenFile(folder, file.name);
    if (!original.ok()) return original.status();
    absl::Status status = Compare(packed->get(), original->get(), file.name, progress);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// No process of it runs, as far as one can know here.
absl::Status CheckHasEnded(const Run& run, bool all_have_ended) {
  for (const ProcessFiles& process : run.processes) {
    const std::string who = absl::StrFormat("run %s: process %d ", run.name, process.pid);
    if (process.state == ProcessState::kRunning) {
      return absl::FailedPreconditionError(who + "still runs; pack the run when it has ended");
    }
    if (process.state != ProcessState::kDied || all_have_ended) continue;
    const auto found = FindProcess(SegmentsOf(process), process.process_key);
    if (found.ok() && !found->info.host_name.empty() && found->info.host_name != HostName()) {
      return absl::FailedPreconditionError(who + "ran on " + found->info.host_name +
                                           ", which alone knows whether it still runs; pack the "
                                           "run there");
    }
  }
  return absl::OkStatus();
}

// Readers of packs look for no rings.
absl::Status CheckIsRecovered(const Run& run) {
  for (const ProcessFiles& process : run.processes) {
    if (process.ring_path.empty()) continue;
    return absl::FailedPreconditionError(absl::StrFormat(
        "run %s: what process %d left in %s cannot be saved; remove that file to pack the rest",
        run.name, process.pid, process.ring_path));
  }
  return absl::OkStatus();
}

absl::Status PrepareToPack(const Run& run, bool all_have_ended) {
  if (absl::Status status = CheckHasEnded(run, all_have_ended); !status.ok()) return status;
  if (absl::Status status = RecoverRun(run); !status.ok()) return status;
  const absl::StatusOr<Run> recovered = FindRun("", run.path);
  if (!recovered.ok()) return recovered.status();
  // Recovering waits for who packs it.
  if (recovered->pack != nullptr) {
    return absl::AbortedError("run " + run.name + " was packed just now: " + recovered->path);
  }
  return CheckIsRecovered(*recovered);
}

}  // namespace

absl::StatusOr<PackedRun> PackRun(const Run& run, const PackOptions& options) {
  if (absl::Status status = PrepareToPack(run, options.all_have_ended); !status.ok()) return status;
  absl::StatusOr<PackedFolder> folder = PackedFolder::Open(run.path);
  if (!folder.ok()) return folder.status();
  if (!options.keep_folder && !folder->foreign().empty()) {
    return absl::FailedPreconditionError(run.path + " holds " + folder->foreign() +
                                         ", which is no file of a run: move it away, or keep the "
                                         "folder");
  }
  PackedRun packed;
  packed.path = options.output.empty() ? run.path + kPackSuffix : options.output;
  for (const PackedFolder::File& file : folder->files()) packed.files_bytes += file.bytes;
  Progress progress(options, 2 * packed.files_bytes);
  absl::StatusOr<Draft> draft = Draft::Make(packed.path, *folder);
  if (!draft.ok()) return draft.status();
  absl::Status status = WritePack(*folder, run.name, options.level, packed.path, *draft, &progress);
  if (status.ok()) status = CheckPack(*folder, draft->path(), &progress);
  struct stat facts;
  if (status.ok() && fstat(draft->file(), &facts) != 0) status = ErrnoStatus(packed.path);
  if (status.ok()) status = draft->Rename(packed.path);
  if (!status.ok()) return status;
  packed.bytes = static_cast<uint64_t>(facts.st_size);
  if (options.keep_folder) return packed;
  status = folder->Remove();
  if (absl::IsAborted(status)) unlink(packed.path.c_str());  // not of what the folder holds now
  if (!status.ok()) return status;
  return packed;
}

}  // namespace autotrace::exporter
