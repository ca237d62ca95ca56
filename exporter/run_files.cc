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

struct OpenedSource {
  std::unique_ptr<ByteSource> bytes;
  uid_t owner = 0;
};
// A file of a run, wherever it is. `path`: as in SegmentFile.
absl::StatusOr<OpenedSource> OpenSource(const std::string& path,
                                        const std::shared_ptr<const PackReader>& pack) {
  if (pack != nullptr) {
    absl::StatusOr<std::unique_ptr<ByteSource>> member = pack->OpenMember(BaseName(path));
    if (!member.ok()) return member.status();
    return OpenedSource{*std::move(member), pack->owner()};
  }
  absl::StatusOr<OpenedFile> file = OpenForReading(path);
  if (!file.ok()) return file.status();
  const uid_t owner = file->owner;
  return OpenedSource{std::make_unique<FileSource>(*std::move(file)), owner};
}

std::optional<SentFacts> ReadSentFile(const ProcessFiles& files) {
  const absl::StatusOr<OpenedSource> opened = OpenSource(files.stem() + kSentSuffix, files.pack);
  if (!opened.ok()) return std::nullopt;
  char bytes[kSentFileBytes];
  const size_t got = opened->bytes->ReadAt(0, bytes, sizeof(bytes), sizeof(bytes));
  SentFileContent content;
  if (!ParseSentFile({bytes, got}, files.process_key, &content)) return std::nullopt;
  return SentFacts{content.is_spool, content.state};
}

void SortByIndex(RunFolder* folder) {
  for (auto& [process, segments] : folder->segments) {
    std::sort(
        segments.begin(), segments.end(),
        [](const SegmentFile& left, const SegmentFile& right) { return left.index < right.index; });
  }
}

ProcessState StateOf(const ProcessFiles& files, const std::vector<SegmentFile>& segments,
                     uint64_t kernel_start_time) {
  if (EndsOrderly(segments, files.process_key)) return ProcessState::kEnded;
  if (files.pack != nullptr) return ProcessState::kDied;  // nobody writes there
  return IsAlive(files.pid, kernel_start_time) || IsBeingWritten(segments.back().path)
             ? ProcessState::kRunning
             : ProcessState::kDied;
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
  SortByIndex(&found);
  return found;
}

RunFolder ReadPackedFolder(const std::shared_ptr<const PackReader>& pack) {
  RunFolder found;
  found.bytes = pack->bytes();
  for (const auto& [name, member] : pack->members()) {
    ProcessId process;
    uint32_t index = 0;
    if (!ParseSegmentName(name, &process, &index)) continue;
    found.segments[process].push_back({pack->path() + "/" + name, index, member.size, pack});
  }
  SortByIndex(&found);
  return found;
}

std::vector<SegmentFile> SegmentsOf(const ProcessFiles& files) {
  if (files.pack != nullptr) {
    return std::move(ReadPackedFolder(files.pack).segments[{files.pid, files.process_key}]);
  }
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
  absl::StatusOr<OpenedSource> source = OpenSource(segment.path, segment.pack);
  if (!source.ok()) return source.status();
  char bytes[sizeof(format::SegmentHeader)];
  if (source->bytes->ReadAt(0, bytes, sizeof(bytes), sizeof(bytes)) < sizeof(bytes)) {
    return absl::NotFoundError(segment.path + ": is empty");  // just made
  }
  const auto header = Load<format::SegmentHeader>(bytes);
  if (segment.pack != nullptr && header.header_size == 0) {
    return absl::DataLossError(segment.path + ": is damaged");
  }
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
  return OpenedSegment{std::move(source->bytes), source->owner, header.header_size, header.index};
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
  if (!segments.empty()) files.pack = segments.front().pack;
  for (const SegmentFile& segment : segments) {
    if (!OpenSegment(segment, process.process_key).ok()) continue;
    files.segments.push_back(segment.path);
    files.bytes += segment.bytes;
  }
  if (files.segments.empty()) return absl::NotFoundError("no segments");
  files.sent = ReadSentFile(files);
  uint64_t kernel_start_time = 0;
  if (absl::StatusOr<FoundProcess> found = FindProcess(segments, process.process_key); found.ok()) {
    files.executable = found->info.executable;
    files.start_unix_nanos = found->info.start_unix_nanos;
    kernel_start_time = found->info.kernel_start_time;
    struct stat facts;
    if (files.pack == nullptr && !found->info.ring_path.empty() &&
        lstat(found->info.ring_path.c_str(), &facts) == 0) {
      files.ring_path = found->info.ring_path;
    }
  }
  files.state = StateOf(files, segments, kernel_start_time);
  return files;
}

}  // namespace autotrace::exporter
