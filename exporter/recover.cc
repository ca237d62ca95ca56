#include "exporter/recover.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "exporter/block_parser.h"
#include "exporter/file_access.h"
#include "exporter/file_writing.h"
#include "exporter/process_liveness.h"
#include "exporter/ring_blocks.h"
#include "exporter/run_files.h"
#include "runtime/block_stream.h"

namespace autotrace::exporter {
namespace {

using format::BlockKind;

// The blocks of a segment in the making; the same block is taken once.
class SegmentBuilder {
 public:
  void Add(uint16_t kind, std::string_view payload) {
    const auto header =
        MakeBlockHeader(static_cast<BlockKind>(kind), payload.data(), payload.size());
    if (!seen_.insert({kind, header.size, header.crc32c}).second) return;
    AppendBlock(&blocks_, static_cast<BlockKind>(kind), payload);
    ++added_;
  }
  size_t added() const { return added_; }
  const std::string& blocks() const { return blocks_; }

 private:
  std::set<std::tuple<uint16_t, uint32_t, uint32_t>> seen_;
  std::string blocks_;
  size_t added_ = 0;
};

// What a segment says of the process, its modules, functions and threads is repeated in the next
// one, so that each can be read alone. What happened (records) is not.
bool IsRepeated(uint16_t kind) {
  switch (static_cast<BlockKind>(kind)) {
    case BlockKind::kProcess:
    case BlockKind::kClock:
    case BlockKind::kModule:
    case BlockKind::kFunctions:
    case BlockKind::kQuiet:
    case BlockKind::kThread:
    case BlockKind::kOpenFrames:
    case BlockKind::kCounters:
      return true;
    case BlockKind::kRecords:
    case BlockKind::kEnd:
    case BlockKind::kThreadEnd:
    case BlockKind::kThreadState:  // as it was when the last segment began
      return false;
  }
  return false;
}

template <typename Visit>
void VisitSegment(const SegmentFile& segment, uint64_t process_key, Visit visit) {
  absl::StatusOr<OpenedSegment> opened = OpenSegment(segment, process_key);
  if (!opened.ok()) return;
  BlockParser parser(opened->bytes.get(), opened->blocks_begin, opened->bytes->size());
  for (Block block; parser.Next(&block);) visit(block.kind, block.payload);
}

// Writes under another name and renames, so that a segment is there whole or not at all.
absl::Status WriteSegment(int folder, const ProcessId& process, uint32_t index,
                          const struct stat& model, const std::string& blocks) {
  const std::string name = SegmentName(process, index);
  const std::string draft = name + ".recovering";
  unlinkat(folder, draft.c_str(), 0);  // of a recovery that was killed; we hold the lock
  const FileHandle file(openat(folder, draft.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               model.st_mode & 0666));
  if (file.get() < 0) return ErrnoStatus(draft);
  // When root recovers somebody's run, it stays theirs.
  if (model.st_uid != geteuid() && fchown(file.get(), model.st_uid, model.st_gid) != 0) {
    unlinkat(folder, draft.c_str(), 0);
    return ErrnoStatus(draft);
  }
  std::string bytes;
  AppendStruct(&bytes, MakeSegmentHeader(process.process_key, index));
  absl::Status status = WriteAll(file.get(), bytes);
  if (status.ok()) status = WriteAll(file.get(), blocks);
  if (!status.ok()) {
    status =
        absl::Status(status.code(), "cannot write " + draft + ": " + std::string(status.message()));
  }
  if (status.ok() && fsync(file.get()) != 0) status = ErrnoStatus(draft);
  if (status.ok() &&
      renameat2(folder, draft.c_str(), folder, name.c_str(), RENAME_NOREPLACE) != 0) {
    status = ErrnoStatus(name);
  }
  if (!status.ok()) {
    unlinkat(folder, draft.c_str(), 0);
    return status;
  }
  return fsync(folder) == 0 ? absl::OkStatus() : ErrnoStatus(name);
}

// Removes the very file that was read.
absl::Status RemoveRing(const std::string& path, const RingSnapshot& ring) {
  if (!RemoveFile(path, ring.device, ring.inode)) return ErrnoStatus(path);
  return absl::OkStatus();
}

absl::Status RecoverProcess(int folder, const ProcessId& process,
                            const std::vector<SegmentFile>& segments) {
  const absl::StatusOr<FoundProcess> found = FindProcess(segments, process.process_key);
  if (!found.ok() || found->info.ring_path.empty()) return absl::OkStatus();
  if (IsAlive(process.pid, found->info.kernel_start_time) || IsBeingWritten(segments.back().path)) {
    return absl::OkStatus();
  }
  if (!found->info.host_name.empty() && found->info.host_name != HostName()) {
    return absl::OkStatus();  // only that machine knows whether it still runs
  }
  const absl::StatusOr<RingSnapshot> ring = CopyRing(RingOf(process, *found));
  if (!ring.ok()) return absl::OkStatus();  // recovered already, or no ring of ours

  SegmentBuilder builder;
  Coverage coverage(*ring);
  bool ended = false;
  for (const SegmentFile& segment : segments) {
    const bool last = &segment == &segments.back();
    VisitSegment(segment, process.process_key, [&](uint16_t kind, std::string_view payload) {
      if (last && IsRepeated(kind)) builder.Add(kind, payload);
      if (kind == static_cast<uint16_t>(BlockKind::kRecords)) coverage.Add(payload);
      ended = ended || kind == static_cast<uint16_t>(BlockKind::kEnd);
    });
  }
  const auto add = [&](uint16_t kind, std::string_view payload) { builder.Add(kind, payload); };
  const size_t known = builder.added();
  VisitRingMetadata(*ring, add);
  const size_t described = builder.added();
  VisitRingRecords(*ring, coverage, add);
  if (ended) {
    // It said so with everything written; a ring with more in it is for people to look at.
    if (builder.added() > described) return absl::OkStatus();
  } else if (builder.added() > known) {
    struct stat model;
    if (lstat(segments.back().path.c_str(), &model) != 0) return ErrnoStatus(segments.back().path);
    absl::Status status =
        WriteSegment(folder, process, segments.back().index + 1, model, builder.blocks());
    if (!status.ok()) return status;
  }
  return RemoveRing(found->info.ring_path, *ring);
}

}  // namespace

absl::Status RecoverRun(const Run& run) {
  const FileHandle folder(open(run.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return ErrnoStatus(run.path);
  while (flock(folder.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(run.path);
  }
  // What is there now: another recovery may have been at work until a moment ago.
  absl::Status result;
  for (const auto& [process, segments] : ReadRunFolder(run.path).segments) {
    result.Update(RecoverProcess(folder.get(), process, segments));
  }
  return result;
}

}  // namespace autotrace::exporter
