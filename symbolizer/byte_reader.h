// Reads little-endian integers, LEB128 numbers and strings from bytes that may be damaged. Reading
// past the end gives zeros and empty strings and makes ok() false, so that a caller checks once
// after reading a structure. Async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_BYTE_READER_H_
#define AUTOTRACE_SYMBOLIZER_BYTE_READER_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string_view>

namespace autotrace::symbolizer {

class ByteReader {
 public:
  ByteReader() = default;
  // Starts at `offset`; one past the end of `bytes` or beyond is a failed reader.
  explicit ByteReader(std::string_view bytes, uint64_t offset = 0)
      : begin_(bytes.data()), position_(bytes.data()), end_(bytes.data() + bytes.size()) {
    Skip(offset);
  }

  bool ok() const { return ok_; }
  bool at_end() const { return position_ == end_; }
  // From the start of the bytes given.
  uint64_t offset() const { return static_cast<uint64_t>(position_ - begin_); }
  uint64_t remaining() const { return static_cast<uint64_t>(end_ - position_); }

  template <typename T>
  T Read() {
    T value{};
    if (remaining() < sizeof(T)) {
      Fail();
      return value;
    }
    memcpy(&value, position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  // An integer of 1, 2, 3, 4 or 8 bytes.
  uint64_t ReadUnsigned(unsigned size) {
    uint64_t value = 0;
    if (size > sizeof(value) || remaining() < size) {
      Fail();
      return 0;
    }
    memcpy(&value, position_, size);
    position_ += size;
    return value;
  }
  uint64_t ReadUleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (position_ == end_) {
        Fail();
        return 0;
      }
      const uint8_t byte = static_cast<uint8_t>(*position_++);
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  int64_t ReadSleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      if (position_ == end_) {
        Fail();
        return 0;
      }
      const uint8_t byte = static_cast<uint8_t>(*position_++);
      if (shift < 64) value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if (shift < 64 && (byte & 0x40) != 0) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }
  // Up to a NUL, which is passed over.
  std::string_view ReadString() {
    const void* nul = remaining() == 0 ? nullptr : memchr(position_, '\0', remaining());
    if (nul == nullptr) {
      Fail();
      return {};
    }
    const char* start = position_;
    position_ = static_cast<const char*>(nul) + 1;
    return {start, static_cast<size_t>(position_ - 1 - start)};
  }
  void Skip(uint64_t size) {
    if (remaining() < size) {
      Fail();
    } else {
      position_ += size;
    }
  }

 private:
  void Fail() {
    ok_ = false;
    position_ = end_;
  }

  const char* begin_ = nullptr;
  const char* position_ = nullptr;
  const char* end_ = nullptr;
  bool ok_ = true;
};

// The NUL-terminated string at `offset`; empty when there is none.
inline std::string_view StringAt(std::string_view strings, uint64_t offset) {
  return ByteReader(strings, offset).ReadString();
}

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_BYTE_READER_H_
