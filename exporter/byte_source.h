// Bytes that are read by their place: those of a file, or of a member of a packed run
// (pack_reader.h). What reads segments (block_parser.h) need not know which.
#ifndef AUTOTRACE_EXPORTER_BYTE_SOURCE_H_
#define AUTOTRACE_EXPORTER_BYTE_SOURCE_H_

#include <stddef.h>
#include <stdint.h>

#include <utility>

#include "exporter/file_access.h"

namespace autotrace::exporter {

// Not thread-safe.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  // Bytes that there were when it was opened.
  virtual uint64_t size() const = 0;
  // Reads no fewer than `least` bytes at `offset`, unless the end comes first, and up to `most`
  // where more of them cost little. Returns how many; errors read as the end.
  virtual size_t ReadAt(uint64_t offset, void* buffer, size_t least, size_t most) = 0;
};

class FileSource final : public ByteSource {
 public:
  // Of an open file that has this size.
  FileSource(FileHandle handle, uint64_t size) : handle_(std::move(handle)), size_(size) {}
  explicit FileSource(OpenedFile file) : FileSource(std::move(file.handle), file.size) {}

  uint64_t size() const override { return size_; }
  size_t ReadAt(uint64_t offset, void* buffer, size_t /*least*/, size_t most) override {
    return exporter::ReadAt(handle_.get(), offset, buffer, most);
  }

 private:
  FileHandle handle_;
  uint64_t size_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_BYTE_SOURCE_H_
