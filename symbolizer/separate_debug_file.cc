#include "symbolizer/separate_debug_file.h"

#include <stdint.h>
#include <string.h>

#include <array>

namespace autotrace::symbolizer {
namespace {

// Joins pieces of text in a fixed buffer; what does not fit makes the whole path invalid.
class PathBuilder {
 public:
  PathBuilder& Add(std::string_view text) {
    if (text.size() >= sizeof(path_) - size_) {
      valid_ = false;
    } else {
      memcpy(path_ + size_, text.data(), text.size());
      size_ += text.size();
      path_[size_] = '\0';
    }
    return *this;
  }
  PathBuilder& AddHex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (const char c : bytes) {
      const auto byte = static_cast<uint8_t>(c);
      const char digits[2] = {kDigits[byte >> 4], kDigits[byte & 15]};
      Add({digits, 2});
    }
    return *this;
  }
  const char* path() const { return valid_ ? path_ : nullptr; }

 private:
  char path_[kMaxPath] = {};
  size_t size_ = 0;
  bool valid_ = true;
};

// CRC-32 as in zlib, the checksum of .gnu_debuglink.
constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

struct Wanted {
  std::string_view build_id;
  bool has_crc = false;
  uint32_t crc = 0;
};

bool Belongs(const Wanted& wanted, const MappedFile& file, const ElfFile& elf) {
  if (!wanted.build_id.empty()) return elf.BuildId() == wanted.build_id;
  return wanted.has_crc && Crc32(file.bytes()) == wanted.crc;
}

bool TryCandidate(const PathBuilder& candidate, const Wanted& wanted, MappedFile* file,
                  ElfFile* elf, char* found_path) {
  const char* path = candidate.path();
  if (path == nullptr || !file->Map(path)) return false;
  if (!elf->Parse(file->bytes()) || !Belongs(wanted, *file, *elf)) {
    file->Unmap();
    *elf = ElfFile();
    return false;
  }
  if (found_path != nullptr) memcpy(found_path, path, strlen(path) + 1);
  return true;
}

}  // namespace

bool MapSeparateDebugFile(const ElfFile& binary, const char* binary_path,
                          const char* debug_directory, MappedFile* file, ElfFile* elf,
                          char* found_path) {
  Wanted wanted;
  wanted.build_id = binary.BuildId();
  if (wanted.build_id.size() > 1) {
    PathBuilder path;
    path.Add(debug_directory).Add("/.build-id/").AddHex({wanted.build_id.data(), 1});
    path.Add("/").AddHex({wanted.build_id.data() + 1, wanted.build_id.size() - 1}).Add(".debug");
    if (TryCandidate(path, wanted, file, elf, found_path)) return true;
  }

  std::string_view name;
  wanted.has_crc = binary.DebugLink(&name, &wanted.crc);
  if (!wanted.has_crc) return false;
  const std::string_view whole(binary_path);
  const size_t slash = whole.rfind('/');
  // With its slash at the end; empty for a bare name.
  const std::string_view folder(whole.data(), slash == std::string_view::npos ? 0 : slash + 1);
  // One at a time: each takes kMaxPath bytes of stack.
  if (TryCandidate(PathBuilder().Add(folder).Add(name), wanted, file, elf, found_path) ||
      TryCandidate(PathBuilder().Add(folder).Add(".debug/").Add(name), wanted, file, elf,
                   found_path)) {
    return true;
  }
  if (folder.empty() || folder.front() != '/') return false;
  return TryCandidate(PathBuilder().Add(debug_directory).Add(folder).Add(name), wanted, file, elf,
                      found_path);
}

}  // namespace autotrace::symbolizer
