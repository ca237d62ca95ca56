#include "cli/run_cleaner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "exporter/block_parser.h"
#include "exporter/byte_source.h"
#include "exporter/file_access.h"
#include "exporter/pack_reader.h"
#include "exporter/process_info.h"
#include "exporter/process_liveness.h"
#include "exporter/run_files.h"
#include "exporter/run_names.h"
#include "filters/config_loader.h"
#include "runtime/control_page.h"
#include "runtime/trace_format.h"

namespace autotrace::cli {
namespace {

// A ring whose process cannot be seen from here (another pid namespace) is alive when it was
// written to this recently; a run's folder that is empty for longer stays so.
constexpr uint64_t kHeartbeatNanos = 60'000'000'000;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// Opens a folder that is no symbolic link.
absl::StatusOr<Folder> OpenFolder(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, path);
  Folder folder(fdopendir(descriptor));
  if (folder == nullptr) {
    close(descriptor);
    return absl::InternalError(Concat(path, ": cannot be read"));
  }
  return folder;
}

std::vector<std::string> NamesIn(DIR* folder) {
  std::vector<std::string> names;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

bool HasSegmentMagic(int folder, const std::string& name) {
  const exporter::FileHandle file(
      openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  char magic[sizeof(format::kSegmentMagic)] = {};
  return file.get() >= 0 &&
         exporter::ReadAt(file.get(), 0, magic, sizeof(magic)) == sizeof(magic) &&
         memcmp(magic, format::kSegmentMagic, sizeof(magic)) == 0;
}

// Says what makes the folder something else than a run.
absl::Status CheckIsRun(int folder, const std::string& path,
                        const std::vector<std::string>& names) {
  const auto refuse = [&](std::string_view why) {
    return absl::FailedPreconditionError(
        Concat(path, " ", why, "; if it is to go, remove it by hand"));
  };
  bool has_segment = false;
  for (const std::string& name : names) {
    struct stat facts;
    if (fstatat(folder, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(facts.st_mode)) return refuse(Concat("holds a folder (", name, ")"));
    if (!name.ends_with(exporter::kSegmentSuffix)) continue;
    if (!HasSegmentMagic(folder, name)) {
      return refuse(Concat("holds ", name, ", which is no segment of a run"));
    }
    has_segment = true;
  }
  if (!has_segment && !names.empty()) return refuse("holds no segment of a run");
  return absl::OkStatus();
}

// The fields of a ring's header that stand before its atomics, and its heartbeat.
struct RingFacts {
  uint64_t process_key = 0;
  uint64_t pid = 0;
  uint64_t kernel_start_time = 0;
  uint64_t heartbeat_unix_nanos = 0;
  uint64_t metadata_offset = 0;
  uint64_t metadata_size = 0;
};

std::optional<RingFacts> ReadRingFacts(int descriptor) {
  using format::RingHeader;
  static_assert(std::atomic<uint64_t>::is_always_lock_free &&
                sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));
  alignas(RingHeader) char bytes[sizeof(RingHeader)];
  if (exporter::ReadAt(descriptor, 0, bytes, sizeof(bytes)) != sizeof(bytes)) return std::nullopt;
  if (memcmp(bytes, format::kRingMagic, sizeof(format::kRingMagic)) != 0) return std::nullopt;
  const auto number_at = [&](size_t offset) {
    uint64_t number;
    memcpy(&number, bytes + offset, sizeof(number));
    return number;
  };
  RingFacts facts;
  facts.process_key = number_at(offsetof(RingHeader, process_key));
  facts.pid = number_at(offsetof(RingHeader, pid));
  facts.kernel_start_time = number_at(offsetof(RingHeader, kernel_start_time));
  facts.heartbeat_unix_nanos = number_at(offsetof(RingHeader, heartbeat_unix_nanos));
  facts.metadata_offset = number_at(offsetof(RingHeader, metadata_offset));
  facts.metadata_size = number_at(offsetof(RingHeader, metadata_size));
  return facts;
}

bool MayBeAlive(const RingFacts& ring, uint64_t now_unix_nanos) {
  return exporter::IsAlive(ring.pid, ring.kernel_start_time) ||
         ring.heartbeat_unix_nanos + kHeartbeatNanos > now_unix_nanos;
}

// Does the folder that the process was told to record into still have its run? When that cannot be
// found out it may.
bool MayHaveRun(exporter::OpenedFile file, const RingFacts& ring) {
  exporter::FileSource source(std::move(file));
  exporter::BlockParser parser(&source, ring.metadata_offset,
                               ring.metadata_offset + ring.metadata_size);
  exporter::Block block;
  while (parser.Next(&block)) {
    if (block.kind != static_cast<uint16_t>(format::BlockKind::kProcess)) continue;
    const auto process = exporter::ParseProcess(block.payload);
    if (!process.ok()) return true;
    const filters::LoadResult loaded = filters::ParseConfig(process->config_yaml, "recorded");
    if (!loaded.error.empty() || loaded.config.dir.empty()) return true;
    struct stat facts;
    if (stat(loaded.config.dir.c_str(), &facts) != 0) return errno != ENOENT;
    const auto runs = exporter::ListRuns(loaded.config.dir);
    if (!runs.ok()) return true;
    return std::any_of(runs->begin(), runs->end(), [&](const exporter::Run& run) {
      return std::any_of(run.processes.begin(), run.processes.end(), [&](const auto& process) {
        return process.process_key == ring.process_key;
      });
    });
  }
  return true;
}

}  // namespace

std::vector<exporter::Run> RunsToRemove(const std::vector<exporter::Run>& runs,
                                        const CleanRule& rule) {
  std::vector<exporter::Run> removed;
  const size_t keep = rule.all ? 0 : std::min<uint64_t>(rule.keep, runs.size());
  for (size_t i = 0; i + keep < runs.size(); ++i) {
    if (IsRunning(runs[i])) continue;
    const uint64_t age = rule.now_unix_nanos > runs[i].start_unix_nanos
                             ? rule.now_unix_nanos - runs[i].start_unix_nanos
                             : 0;
    if (age >= rule.older_than_nanos) removed.push_back(runs[i]);
  }
  return removed;
}

namespace {

absl::Status RemovePack(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, Concat("cannot remove ", path));
}

// The folder of a run may have been kept when it was packed.
absl::Status RemovePackOf(const std::string& folder) {
  const std::string path = folder + exporter::kPackSuffix;
  return exporter::PackReader::Open(path).ok() ? RemovePack(path) : absl::OkStatus();
}

}  // namespace

absl::Status RemoveRun(const exporter::Run& run) {
  if (run.pack != nullptr) return RemovePack(run.path);
  auto folder = OpenFolder(run.path);
  if (!folder.ok()) return folder.status();
  std::vector<std::string> names = NamesIn(folder->get());
  // Segments go last: if the command is killed meanwhile, what is left is a run.
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) {
    return !name.ends_with(exporter::kSegmentSuffix);
  });
  const int descriptor = dirfd(folder->get());
  if (absl::Status status = CheckIsRun(descriptor, run.path, names); !status.ok()) return status;
  for (const std::string& name : names) {
    if (unlinkat(descriptor, name.c_str(), 0) != 0 && errno != ENOENT) {
      return absl::ErrnoToStatus(errno, Concat("cannot remove ", run.path, "/", name));
    }
  }
  if (absl::Status status = RemovePackOf(run.path); !status.ok()) return status;
  struct stat facts;
  const bool is_own = fstat(descriptor, &facts) == 0 && facts.st_uid == getuid();
  if (rmdir(run.path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, Concat("cannot remove ", run.path));
  }
  // Whoever wrote the run says where its rings are: of somebody else's run, none is removed.
  if (!is_own) return absl::OkStatus();
  for (const exporter::ProcessFiles& process : run.processes) {
    if (process.ring_path.empty()) continue;
    // The path comes from a file: only what is a ring, of this process, is removed.
    const auto ring = exporter::OpenForReading(process.ring_path);
    if (!ring.ok() || ring->owner != getuid()) continue;
    const auto ring_facts = ReadRingFacts(ring->handle.get());
    if (ring_facts.has_value() && ring_facts->process_key == process.process_key) {
      exporter::RemoveFile(process.ring_path, ring->device, ring->inode);
    }
  }
  return absl::OkStatus();
}

namespace {

// Of programs that were killed after all that they recorded had been sent and removed.
void RemoveControlFiles(int parent, const std::string& run) {
  Folder folder(
      fdopendir(openat(parent, run.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
  if (folder == nullptr) return;
  const std::vector<std::string> names = NamesIn(folder.get());
  const bool is_all = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with(kControlSuffix) && kill(static_cast<pid_t>(atoi(name.c_str())), 0) != 0 &&
           errno == ESRCH;
  });
  if (!is_all) return;
  for (const std::string& name : names) unlinkat(dirfd(folder.get()), name.c_str(), 0);
}

}  // namespace

uint64_t RemoveEmptyRuns(const std::string& dir, uint64_t now_unix_nanos) {
  const auto folder = OpenFolder(dir);
  if (!folder.ok()) return 0;
  uint64_t removed = 0;
  for (const std::string& name : NamesIn(folder->get())) {
    struct stat facts;
    const int descriptor = dirfd(folder->get());
    if (!exporter::IsRunName(name) ||
        fstatat(descriptor, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(facts.st_mode)) {
      continue;
    }
    const uint64_t changed = static_cast<uint64_t>(facts.st_mtim.tv_sec) * 1'000'000'000;
    if (changed + kHeartbeatNanos > now_unix_nanos) continue;
    RemoveControlFiles(descriptor, name);
    // Fails, as it should, when there is anything else in it.
    removed += unlinkat(descriptor, name.c_str(), AT_REMOVEDIR) == 0 ? 1 : 0;
  }
  return removed;
}

std::vector<std::string> OrphanedRings(const std::string& folder, uint64_t now_unix_nanos) {
  std::vector<std::string> orphaned;
  const auto opened = OpenFolder(folder);
  if (!opened.ok()) return orphaned;
  for (const std::string& name : NamesIn(opened->get())) {
    if (!name.starts_with("autotrace-")) continue;
    const std::string path = Concat(folder, "/", name);
    auto file = exporter::OpenForReading(path);
    if (!file.ok() || file->owner != getuid()) continue;
    const auto ring = ReadRingFacts(file->handle.get());
    if (!ring.has_value() || MayBeAlive(*ring, now_unix_nanos)) continue;
    if (!MayHaveRun(*std::move(file), *ring)) orphaned.push_back(path);
  }
  return orphaned;
}

}  // namespace autotrace::cli
