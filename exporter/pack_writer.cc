#include "exporter/pack_writer.h"

#include <stddef.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "exporter/file_writing.h"
#include "exporter/pack_cuts.h"
#include "exporter/pack_frame.h"
#include "exporter/run_names.h"
#include "runtime/block_stream.h"

namespace autotrace::exporter {
namespace {

// What a frame may hold, from a place in a source on.
class Window {
 public:
  explicit Window(ByteSource* source) : source_(*source) {}

  // Moves forward to `offset`. False when the source ends before its size.
  bool Fill(uint64_t offset) {
    used_ += offset - offset_;
    offset_ = offset;
    // As long as a whole block is there, whatever its size, or all the rest.
    const uint64_t rest = source_.size() - offset;
    if (bytes().size() >= std::min(rest, uint64_t{format::kMaxBlockSize} * 9 / 8)) return true;
    bytes_.erase(0, used_);
    used_ = 0;
    const size_t kept = bytes_.size();
    bytes_.resize(std::min<uint64_t>(rest, kMaxFrameBytes));
    const size_t missing = bytes_.size() - kept;
    return source_.ReadAt(offset + kept, bytes_.data() + kept, missing, missing) == missing;
  }
  std::string_view bytes() const { return std::string_view(bytes_).substr(used_); }

 private:
  ByteSource& source_;
  std::string bytes_;
  size_t used_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace

PackWriter::PackWriter(int file, int level, std::function<void(uint64_t bytes)> advance)
    : file_(file), level_(level), advance_(std::move(advance)) {}

absl::Status PackWriter::Begin() {
  PackHeader header = {};
  memcpy(header.magic, kPackMagic, sizeof(header.magic));
  header.version = kPackVersion;
  header.header_size = sizeof(header);
  return WriteAll(file_, {reinterpret_cast<const char*>(&header), sizeof(header)});
}

absl::Status PackWriter::AddMember(const std::string& name, ByteSource* source) {
  const bool is_segment = name.ends_with(kSegmentSuffix);
  const uint64_t size = source->size();
  Window window(source);
  for (uint64_t offset = 0; offset < size;) {
    if (!window.Fill(offset)) return absl::DataLossError(name + " cannot be read, or got shorter");
    const std::string_view bytes = window.bytes();
    const size_t cut = is_segment ? CutSegment(bytes, offset, size) : bytes.size();
    absl::Status status = WriteFrame(FrameKind::kMember, name, offset, bytes.substr(0, cut));
    if (!status.ok()) return status;
    if (advance_) advance_(cut);
    offset += cut;
  }
  AppendStruct(&directory_, DirectoryEntry{size, static_cast<uint32_t>(name.size()), 0});
  directory_.append(name);
  AppendPadding(&directory_);
  ++members_;
  return absl::OkStatus();
}

absl::Status PackWriter::Finish(std::string_view run_name) {
  std::string bytes;
  AppendStruct(&bytes, DirectoryHeader{static_cast<uint32_t>(run_name.size()), members_});
  bytes.append(run_name);
  AppendPadding(&bytes);
  bytes += directory_;
  if (bytes.size() > kMaxFrameBytes) {
    return absl::InvalidArgumentError("too many files for one pack");
  }
  return WriteFrame(FrameKind::kDirectory, "", 0, bytes);
}

absl::Status PackWriter::WriteFrame(FrameKind kind, const std::string& name, uint64_t offset,
                                    std::string_view bytes) {
  std::string packed = PackFrame(bytes, level_);
  if (packed.size() < bytes.size() / kMostPacking) packed.resize(bytes.size() / kMostPacking);
  FrameHeader header = {};
  header.magic = kFrameMagic;
  header.kind = static_cast<uint32_t>(kind);
  header.name_size = static_cast<uint32_t>(name.size());
  header.offset = offset;
  header.size = static_cast<uint32_t>(bytes.size());
  header.crc32c = Crc32c(bytes.data(), bytes.size());
  header.packed_size = static_cast<uint32_t>(packed.size());
  header.packed_crc32c = Crc32c(packed.data(), packed.size());
  std::string frame;
  AppendStruct(&frame, header);
  frame.append(name);
  constexpr size_t kChecked = offsetof(FrameHeader, kind);
  const uint32_t crc = Crc32c(frame.data() + kChecked, frame.size() - kChecked);
  memcpy(frame.data() + offsetof(FrameHeader, header_crc32c), &crc, sizeof(crc));
  AppendPadding(&frame);
  frame += packed;
  AppendPadding(&frame);
  return WriteAll(file_, frame);
}

}  // namespace autotrace::exporter
