#include "exporter/pack_reader.h"

#include <string.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "exporter/file_access.h"

namespace autotrace::exporter {
namespace {

// Keeps the frame that was read last.
class MemberSource final : public ByteSource {
 public:
  MemberSource(OpenedFile pack, const PackMember& member)
      : pack_(std::move(pack)), member_(member) {}

  uint64_t size() const override { return member_.size; }

  size_t ReadAt(uint64_t offset, void* buffer, size_t least, size_t most) override {
    auto* out = static_cast<char*>(buffer);
    size_t done = 0;
    while (done < least && offset + done < member_.size) {
      done += ReadPiece(offset + done, out + done, most - done);
    }
    return done;
  }

 private:
  // What one frame, or the hole before one, has of it.
  size_t ReadPiece(uint64_t offset, char* out, size_t most) {
    const auto next = std::upper_bound(
        member_.frames.begin(), member_.frames.end(), offset,
        [](uint64_t place, const PackedFrame& frame) { return place < frame.header.offset; });
    const uint64_t next_begin = next == member_.frames.end() ? member_.size : next->header.offset;
    if (next != member_.frames.begin()) {
      const PackedFrame& frame = *(next - 1);
      const uint64_t end = frame.header.offset + frame.header.size;
      if (offset < end) {
        const size_t size = std::min<uint64_t>(most, end - offset);
        memcpy(out, Unpacked(frame).data() + (offset - frame.header.offset), size);
        return size;
      }
    }
    const size_t size = std::min<uint64_t>(most, next_begin - offset);
    memset(out, 0, size);
    return size;
  }

  const std::string& Unpacked(const PackedFrame& frame) {
    if (kept_ != &frame) {
      kept_ = &frame;
      kept_bytes_.clear();
      kept_bytes_.shrink_to_fit();  // not two of them at a time
      absl::StatusOr<std::string> bytes = ReadFrame(pack_, frame);
      kept_bytes_ = bytes.ok() ? *std::move(bytes) : std::string(frame.header.size, '\0');
    }
    return kept_bytes_;
  }

  FileSource pack_;
  const PackMember& member_;
  const PackedFrame* kept_ = nullptr;
  std::string kept_bytes_;
};

std::string DescribeDamage(const std::string& path, const PackContents& contents) {
  if (contents.damaged_bytes == 0 && contents.is_complete) return "";
  const std::string what =
      contents.damaged_bytes == 0
          ? "its end is missing"
          : absl::StrFormat("%d bytes are damaged or incomplete", contents.damaged_bytes);
  return path + ": " + what + "; what is whole is read";
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PackReader>> PackReader::Open(const std::string& path) {
  absl::StatusOr<OpenedFile> file = OpenForReading(path);
  if (!file.ok()) return file.status();
  const std::shared_ptr<PackReader> reader(new PackReader);
  reader->path_ = path;
  reader->bytes_ = file->size;
  reader->owner_ = file->owner;
  reader->device_ = file->device;
  reader->inode_ = file->inode;
  FileSource source(*std::move(file));
  absl::StatusOr<PackContents> contents = ScanPack(source);
  if (!contents.ok()) {
    return absl::Status(contents.status().code(),
                        path + ": " + std::string(contents.status().message()));
  }
  reader->contents_ = *std::move(contents);
  reader->damage_ = DescribeDamage(path, reader->contents_);
  return reader;
}

absl::StatusOr<std::unique_ptr<ByteSource>> PackReader::OpenMember(const std::string& name) const {
  const auto member = contents_.members.find(name);
  if (member == contents_.members.end()) {
    return absl::NotFoundError(path_ + " holds no file " + name);
  }
  absl::StatusOr<OpenedFile> file = OpenForReading(path_);
  if (!file.ok()) return file.status();
  if (file->device != device_ || file->inode != inode_) {
    return absl::NotFoundError(path_ + " was replaced while it was read");
  }
  return std::make_unique<MemberSource>(*std::move(file), member->second);
}

}  // namespace autotrace::exporter
