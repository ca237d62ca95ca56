// The parts of an ELF file, found in its bytes and checked against their size: sections, build id,
// link to the debug file, loadable ranges. A view: it owns nothing. 64-bit little-endian
// executables and shared libraries of this machine only. Async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_ELF_FILE_H_
#define AUTOTRACE_SYMBOLIZER_ELF_FILE_H_

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <string_view>

namespace autotrace::symbolizer {

class ElfFile {
 public:
  // False when the bytes are no ELF file that this reads; the object is then empty.
  bool Parse(std::string_view bytes);

  size_t section_count() const { return section_count_; }
  // `index` below section_count().
  Elf64_Shdr Section(size_t index) const;
  std::string_view SectionName(const Elf64_Shdr& section) const;
  // Index of the first section of that name, or of that type; 0 when there is none.
  size_t FindSection(std::string_view name) const;
  size_t FindSectionOfType(uint32_t type) const;
  // Empty when it has none in the file (SHT_NOBITS), or reaches beyond the file.
  std::string_view Contents(const Elf64_Shdr& section) const;
  // The same by name, and empty too when the section is compressed.
  std::string_view Contents(std::string_view name) const;

  size_t segment_count() const { return segment_count_; }
  Elf64_Phdr Segment(size_t index) const;

  // Of NT_GNU_BUILD_ID; empty when there is none.
  std::string_view BuildId() const;
  // File name in .gnu_debuglink and the checksum of that file. False when there is none.
  bool DebugLink(std::string_view* name, uint32_t* crc) const;
  // The lowest virtual address of a PT_LOAD segment, rounded down to a page; 0 when there is none.
  uint64_t FirstLoadAddress() const;

 private:
  template <typename T>
  T ReadAt(uint64_t offset) const;

  std::string_view bytes_;
  uint64_t sections_offset_ = 0;
  size_t section_count_ = 0;
  uint64_t segments_offset_ = 0;
  size_t segment_count_ = 0;
  std::string_view section_names_;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_ELF_FILE_H_
