// A segment writer's files and what of them was sent.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/block_stream.h"
#include "runtime/record_walk.h"
#include "runtime/segment_writer.h"

namespace autotrace {

void SegmentWriter::RemoveBefore(uint64_t position) {
  while (segments_.size() > 1 && segments_.front().index < format::SegmentOf(position)) {
    const Segment& oldest = segments_.front();
    if (unlinkat(Folder(), NameOf(oldest.index).c_str(), 0) != 0 && errno != ENOENT) return;
    own_bytes_ -= oldest.bytes;
    segments_.pop_front();
  }
}

void SegmentWriter::RemoveAll() {
  if (!segments_.empty()) {
    RemoveBefore(format::Position(segments_.back().index, 0));
    unlinkat(Folder(), NameOf(segments_.back().index).c_str(), 0);
    file_.Close();
    reserved_to_ = 0;
    own_bytes_ = 0;
    segments_.clear();
  }
  // Last: without it the segments would seem not to have been sent.
  if (options_.sent != nullptr) options_.sent->Remove(Folder());
}

uint64_t SegmentWriter::SpansAfter(const SentState& sent) {
  FindDeletedSpans();
  uint64_t spans = 0;
  for (const Segment& segment : segments_) {
    const uint32_t index = format::SegmentOf(sent.position);
    if (segment.index > index) spans += segment.spans;
    if (segment.index != index || segment.spans == 0) continue;
    const uint64_t after = SpansInFile(NameOf(segment.index), format::OffsetOf(sent.position));
    spans += after - std::min(after, sent.spans);
  }
  return spans;
}

// In the blocks from this offset on.
uint64_t SegmentWriter::SpansInFile(const std::string& name, uint64_t offset) {
  OwnDescriptor file;
  if (!file.Adopt(openat(Folder(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW))) return 0;
  uint64_t spans = 0;
  std::string payload;
  format::BlockHeader header;
  const auto read = [&](void* bytes, size_t size) {
    const ssize_t got = pread(file.number(), bytes, size, static_cast<off_t>(offset));
    offset += size;
    return got == static_cast<ssize_t>(size);
  };
  offset = std::max<uint64_t>(offset, sizeof(format::SegmentHeader));
  while (read(&header, sizeof(header)) && header.magic == format::kBlockMagic &&
         header.size <= format::kMaxBlockSize) {
    if (header.kind != static_cast<uint16_t>(format::BlockKind::kRecords)) {
      offset += PadTo8(header.size);
      continue;
    }
    payload.resize(PadTo8(header.size));
    if (!read(payload.data(), payload.size())) break;
    ForEachRecord(
        std::string_view(payload).substr(std::min(payload.size(), sizeof(format::RecordsHeader))),
        [&](uint64_t head, std::string_view) { spans += IsSpan(head) ? 1 : 0; });
  }
  return spans;
}

}  // namespace autotrace
