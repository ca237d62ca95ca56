#include "exporter/run_files.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "exporter/block_parser.h"
#include "exporter/byte_order.h"
#include "exporter/process_liveness.h"
#include "runtime/block_stream.h"

namespace autotrace::exporter {
namespace {

// Is the last block a kEnd?
bool EndsOrderly(const std::vector<SegmentFile>& segments, uint64_t process_key) {
  constexpr size_t kEndBlock = sizeof(format::BlockHeader) + sizeof(format::ClockPoint);
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    absl::StatusOr<OpenedSegment> opened = OpenSegment(*segment, process_key);
    if (!opened.ok()) continue;
    const uint64_t size = opened->bytes->size();
    char bytes[kEndBlock];
    if (size >= opened->blocks_begin + kEndBlock &&
        opened->bytes->ReadAt(size - kEndBlock, bytes, kEndBlock, kEndBlock) == kEndBlock) {
      Block block;
      BlockParser last(std::string_view(bytes, kEndBlock));
      if (last.Next(&block) && block.offset == 0 &&
          block.kind == static_cast<uint16_t>(format::BlockKind::kEnd)) {
        return true;
      }
    }
    return false;
  }
  return false;
}

std::optional<SentFacts> ReadSentFile(const std::string& path, uint64_t process_key) {
  absl::StatusOr<OpenedFile> opened = OpenForReading(path);
  if (!opened.ok()) return std::nullopt;
  char bytes[kSentFileBytes];
  const size_t got = ReadAt(opened->handle.get(), 0, bytes, sizeof(bytes));
  SentFileContent content;
  if (!ParseSentFile({bytes, got}, process_key, &content)) return std::nullopt;
  return SentFacts{content.is_spool, content.state};
}

}  // namespace

RunFolder ReadRunFolder(const std::string& folder) {
  RunFolder found;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), closedir);
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string path = folder + "/" + entry->d_name;
    struct stat facts;
    if (lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    const auto bytes = static_cast<uint64_t>(facts.st_size);
    found.bytes += bytes;
    ProcessId process;
    uint32_t index = 0;
    if (!ParseSegmentName(entry->d_name, &process, &index)) continue;
    found.segments[process].push_back({path, index, bytes});
  }
  for (auto& [process, segments] : found.segments) {
    std::sort(
        segments.begin(), segments.end(),
        [](const SegmentFile& left, const SegmentFile& right) { return left.index < right.index; });
  }
  return found;
}

std::vector<SegmentFile> SegmentsOf(const ProcessFiles& files) {
  if (files.segments.empty()) return {};
  const std::string& path = files.segments.front();
  RunFolder folder = ReadRunFolder(path.substr(0, path.rfind('/')));
  return std::move(folder.segments[{files.pid, files.process_key}]);
}

std::string ProcessFiles::stem() const {
  const std::string name = segments.empty() ? SegmentName({pid, process_key}, 0) : segments.front();
  return name.substr(0, name.find('.', name.rfind('/') + 1));
}

absl::StatusOr<OpenedSegment> OpenSegment(const SegmentFile& segment, uint64_t process_key) {
  absl::StatusOr<OpenedFile> opened = OpenForReading(segment.path);
  if (!opened.ok()) return opened.status();
  const uid_t owner = opened->owner;
  auto source = std::make_unique<FileSource>(*std::move(opened));
  char bytes[sizeof(format::SegmentHeader)];
  if (source->ReadAt(0, bytes, sizeof(bytes), sizeof(bytes)) < sizeof(bytes)) {
    return absl::NotFoundError(segment.path + ": is empty");  // just made
  }
  const auto header = Load<format::SegmentHeader>(bytes);
  if (memcmp(header.magic, format::kSegmentMagic, sizeof(header.magic)) != 0 ||
      header.header_size < sizeof(header) || header.header_size % 8 != 0) {
    return absl::FailedPreconditionError(segment.path + ": is no segment");
  }
  if (header.version != format::kVersion) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: was written in version %d of the format, this program reads version %d", segment.path,
        header.version, format::kVersion));
  }
  if (header.process_key != process_key) {
    return absl::FailedPreconditionError(segment.path + ": is a segment of another process");
  }
  return OpenedSegment{std::move(source), owner, header.header_size, header.index};
}

absl::StatusOr<FoundProcess> FindProcess(const std::vector<SegmentFile>& segments,
                                         uint64_t process_key) {
  for (const SegmentFile& segment : segments) {
    absl::StatusOr<OpenedSegment> opened = OpenSegment(segment, process_key);
    if (!opened.ok()) continue;
    // The block stands first. No need to search megabytes for it where it is damaged.
    const uint64_t end =
        std::min(opened->bytes->size(), opened->blocks_begin + (uint64_t{1} << 20));
    BlockParser parser(opened->bytes.get(), opened->blocks_begin, end);
    for (Block block; parser.Next(&block);) {
      if (block.kind != static_cast<uint16_t>(format::BlockKind::kProcess)) continue;
      absl::StatusOr<ProcessInfo> info = ParseProcess(block.payload);
      if (info.ok()) return FoundProcess{*std::move(info), opened->owner};
    }
  }
  return absl::NotFoundError("no segment says which process it is of");
}

RingIdentity RingOf(const ProcessId& process, const FoundProcess& found) {
  return {found.info.ring_path, process.process_key, process.pid, found.info.kernel_start_time,
          found.owner};
}

absl::StatusOr<ProcessFiles> DescribeProcess(const ProcessId& process,
                                             const std::vector<SegmentFile>& segments) {
  ProcessFiles files;
  files.pid = process.pid;
  files.process_key = process.process_key;
  for (const SegmentFile& segment : segments) {
    if (!OpenSegment(segment, process.process_key).ok()) continue;
    files.segments.push_back(segment.path);
    files.bytes += segment.bytes;
  }
  if (files.segments.empty()) return absl::NotFoundError("no segments");
  files.sent = ReadSentFile(files.stem() + kSentSuffix, process.process_key);
  uint64_t kernel_start_time = 0;
  if (absl::StatusOr<FoundProcess> found = FindProcess(segments, process.process_key); found.ok()) {
    files.executable = found->info.executable;
    files.start_unix_nanos = found->info.start_unix_nanos;
    kernel_start_time = found->info.kernel_start_time;
    struct stat facts;
    if (!found->info.ring_path.empty() && lstat(found->info.ring_path.c_str(), &facts) == 0) {
      files.ring_path = found->info.ring_path;
    }
  }
  files.state = EndsOrderly(segments, process.process_key) ? ProcessState::kEnded
                : IsAlive(process.pid, kernel_start_time) || IsBeingWritten(segments.back().path)
                    ? ProcessState::kRunning
                    : ProcessState::kDied;
  return files;
}

}  // namespace autotrace::exporter
