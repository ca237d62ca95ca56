#include "exporter/pack_scanner.h"

#include <stddef.h>
#include <string.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "exporter/byte_order.h"
#include "exporter/pack_frame.h"
#include "exporter/run_names.h"
#include "runtime/block_stream.h"

namespace autotrace::exporter {
namespace {

constexpr uint64_t kAlignment = 8;

class Scanner {
 public:
  explicit Scanner(ByteSource& pack) : pack_(pack), size_(pack.size()) {}

  absl::StatusOr<PackContents> Scan() {
    if (absl::Status status = TakePackHeader(); !status.ok()) return status;
    while (position_ < size_) {
      if (!TakeFrame()) SkipToMagic();
    }
    CheckAgainstDirectory();
    return std::move(contents_);
  }

 private:
  struct Named {
    PackedFrame frame;
    std::string name;
    uint64_t end = 0;  // in the pack
  };

  absl::Status TakePackHeader();
  bool TakeFrame();
  bool Examine(Named* found);
  bool TakeMember(const Named& found);
  bool TakeDirectory(const PackedFrame& frame);
  void SkipToMagic();
  void CheckAgainstDirectory();
  // A frame that was lost took up at least 1/kMostPacking of its bytes: so much can be missing, and
  // no more. Else a few bytes could have a reader look through any number of zeros.
  bool MayBeMissing(uint64_t bytes) {
    if (bytes > contents_.damaged_bytes * kMostPacking - missing_) return false;
    missing_ += bytes;
    return true;
  }

  ByteSource& pack_;
  const uint64_t size_;
  uint64_t position_ = 0;
  uint64_t missing_ = 0;  // bytes of members
  bool has_directory_ = false;
  std::map<std::string, uint64_t> directory_;  // sizes
  PackContents contents_;
};

absl::Status Scanner::TakePackHeader() {
  char bytes[sizeof(PackHeader)];
  if (pack_.ReadAt(0, bytes, sizeof(bytes), sizeof(bytes)) != sizeof(bytes)) {
    return absl::InvalidArgumentError("is no packed run");
  }
  const auto header = Load<PackHeader>(bytes);
  if (memcmp(header.magic, kPackMagic, sizeof(header.magic)) != 0) {
    return absl::InvalidArgumentError("is no packed run");
  }
  if (header.version != kPackVersion) {
    return absl::FailedPreconditionError(
        absl::StrFormat("was packed in version %d of the format, this program reads version %d",
                        header.version, kPackVersion));
  }
  position_ = header.header_size % kAlignment == 0 ? header.header_size : sizeof(header);
  return absl::OkStatus();
}

// Passes over one frame; false when there is none here.
bool Scanner::TakeFrame() {
  Named found;
  if (!Examine(&found)) return false;
  bool is_taken = true;  // other kinds are passed over
  if (found.frame.header.kind == static_cast<uint32_t>(FrameKind::kMember)) {
    is_taken = TakeMember(found);
  } else if (found.frame.header.kind == static_cast<uint32_t>(FrameKind::kDirectory)) {
    is_taken = TakeDirectory(found.frame);
  }
  if (!is_taken) contents_.damaged_bytes += found.end - position_;
  position_ = found.end;
  return true;
}

// Is there a frame at position_, as a writer makes one?
bool Scanner::Examine(Named* found) {
  char bytes[sizeof(FrameHeader) + kMaxMemberName];
  const size_t got = pack_.ReadAt(position_, bytes, sizeof(bytes), sizeof(bytes));
  if (got < sizeof(FrameHeader)) return false;
  const auto header = Load<FrameHeader>(bytes);
  if (header.magic != kFrameMagic || header.name_size > kMaxMemberName ||
      sizeof(header) + header.name_size > got) {
    return false;
  }
  constexpr size_t kChecked = offsetof(FrameHeader, kind);
  if (Crc32c(bytes + kChecked, sizeof(header) + header.name_size - kChecked) !=
      header.header_crc32c) {
    return false;
  }
  found->frame = {header, position_ + PadTo8(sizeof(header) + header.name_size)};
  found->name.assign(bytes + sizeof(header), header.name_size);
  found->end = found->frame.place + PadTo8(header.packed_size);
  return found->end <= size_ && header.size <= kMaxFrameBytes &&
         header.size / kMostPacking <= header.packed_size;
}

bool Scanner::TakeMember(const Named& found) {
  const FrameHeader& header = found.frame.header;
  if (header.size == 0 || !IsLastingFile(found.name)) return false;
  const auto known = contents_.members.find(found.name);
  const uint64_t end = known == contents_.members.end() ? 0 : known->second.size;
  if (header.offset < end || !MayBeMissing(header.offset - end)) return false;
  PackMember& member = contents_.members[found.name];
  member.size = header.offset + header.size;
  member.frames.push_back(found.frame);
  return true;
}

bool Scanner::TakeDirectory(const PackedFrame& frame) {
  const absl::StatusOr<std::string> bytes = ReadFrame(pack_, frame);
  if (!bytes.ok() || has_directory_) return false;
  std::string_view rest = *bytes;
  DirectoryHeader header;
  std::string_view name;
  if (!Take(&rest, &header) || !TakePadded(&rest, header.run_name_size, &name)) return false;
  contents_.run_name = name;
  for (uint32_t i = 0; i < header.members; ++i) {
    DirectoryEntry entry;
    if (!Take(&rest, &entry) || !TakePadded(&rest, entry.name_size, &name)) return false;
    directory_[std::string(name)] = entry.size;
  }
  has_directory_ = true;
  return true;
}

// Moves to the next place that looks like the start of a frame, or to the end.
void Scanner::SkipToMagic() {
  char bytes[size_t{64} << 10];
  const uint64_t start = position_;
  position_ += kAlignment;
  while (position_ < size_) {
    const size_t got = pack_.ReadAt(position_, bytes, sizeof(bytes), sizeof(bytes));
    size_t at = 0;
    while (at + sizeof(uint32_t) <= got && Load<uint32_t>(bytes + at) != kFrameMagic) {
      at += kAlignment;
    }
    if (got < sizeof(bytes) && at + sizeof(uint32_t) > got) {
      position_ = size_;
      break;
    }
    position_ += at;
    if (at < got) break;
  }
  position_ = std::min(position_, size_);
  contents_.damaged_bytes += position_ - start;
}

void Scanner::CheckAgainstDirectory() {
  contents_.is_complete = has_directory_;
  for (const auto& [name, size] : directory_) {
    const auto known = contents_.members.find(name);
    const uint64_t end = known == contents_.members.end() ? 0 : known->second.size;
    if (end >= size && known != contents_.members.end()) continue;
    if (size == 0 && IsLastingFile(name)) {  // has no frames
      contents_.members[name];
    } else if (IsLastingFile(name) && MayBeMissing(size - end)) {
      contents_.members[name].size = size;
    } else {
      contents_.is_complete = false;
    }
  }
}

}  // namespace

absl::StatusOr<PackContents> ScanPack(ByteSource& pack) { return Scanner(pack).Scan(); }

absl::StatusOr<std::string> ReadFrame(ByteSource& pack, const PackedFrame& frame) {
  const FrameHeader& header = frame.header;
  std::string packed(header.packed_size, '\0');
  if (pack.ReadAt(frame.place, packed.data(), packed.size(), packed.size()) != packed.size() ||
      Crc32c(packed.data(), packed.size()) != header.packed_crc32c) {
    return absl::DataLossError("a frame is damaged");
  }
  absl::StatusOr<std::string> bytes = UnpackFrame(packed, header.size);
  if (bytes.ok() && Crc32c(bytes->data(), bytes->size()) != header.crc32c) {
    return absl::DataLossError("a frame is damaged");
  }
  return bytes;
}

}  // namespace autotrace::exporter
