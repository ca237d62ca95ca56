#include "symbolizer/elf_file.h"

#include <string.h>

#include "symbolizer/byte_reader.h"

namespace autotrace::symbolizer {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#endif

constexpr uint64_t kPageSize = 4096;

// How many of `count` entries of `entry_size` bytes lie inside the file.
size_t CountInside(std::string_view bytes, uint64_t offset, uint64_t count, uint64_t entry_size) {
  if (offset > bytes.size()) return 0;
  const uint64_t room = (bytes.size() - offset) / entry_size;
  return static_cast<size_t>(count < room ? count : room);
}

std::string_view BuildIdInNotes(std::string_view notes, uint64_t alignment) {
  const uint64_t align = alignment == 8 ? 8 : 4;
  const auto padding = [align](uint64_t size) { return (align - size % align) % align; };
  ByteReader reader(notes);
  while (reader.remaining() >= sizeof(Elf64_Nhdr)) {
    const auto note = reader.Read<Elf64_Nhdr>();
    const uint64_t name_offset = reader.offset();
    reader.Skip(uint64_t{note.n_namesz} + padding(note.n_namesz));
    const uint64_t description_offset = reader.offset();
    if (!reader.ok() || reader.remaining() < note.n_descsz) return {};
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        memcmp(notes.data() + name_offset, "GNU", 4) == 0) {
      return {notes.data() + description_offset, note.n_descsz};
    }
    reader.Skip(uint64_t{note.n_descsz} + padding(note.n_descsz));
  }
  return {};
}

}  // namespace

template <typename T>
T ElfFile::ReadAt(uint64_t offset) const {
  return ByteReader(bytes_, offset).Read<T>();
}

bool ElfFile::Parse(std::string_view bytes) {
  *this = ElfFile();
  if (bytes.size() < sizeof(Elf64_Ehdr)) return false;
  Elf64_Ehdr header;
  memcpy(&header, bytes.data(), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != kMachine ||
      (header.e_type != ET_EXEC && header.e_type != ET_DYN)) {
    return false;
  }
  bytes_ = bytes;

  // Section 0 holds the counts that do not fit into the header.
  uint64_t section_count = header.e_shnum;
  uint64_t segment_count = header.e_phnum;
  uint32_t names_index = header.e_shstrndx;
  if (header.e_shoff != 0 && header.e_shentsize == sizeof(Elf64_Shdr)) {
    sections_offset_ = header.e_shoff;
    const auto first = ReadAt<Elf64_Shdr>(sections_offset_);
    if (section_count == 0) section_count = first.sh_size;
    if (names_index == SHN_XINDEX) names_index = first.sh_link;
    if (segment_count == PN_XNUM) segment_count = first.sh_info;
    section_count_ = CountInside(bytes, sections_offset_, section_count, sizeof(Elf64_Shdr));
  }
  if (header.e_phoff != 0 && header.e_phentsize == sizeof(Elf64_Phdr)) {
    segments_offset_ = header.e_phoff;
    segment_count_ = CountInside(bytes, segments_offset_, segment_count, sizeof(Elf64_Phdr));
  }
  if (names_index < section_count_) section_names_ = Contents(Section(names_index));
  return true;
}

Elf64_Shdr ElfFile::Section(size_t index) const {
  return ReadAt<Elf64_Shdr>(sections_offset_ + index * sizeof(Elf64_Shdr));
}

Elf64_Phdr ElfFile::Segment(size_t index) const {
  return ReadAt<Elf64_Phdr>(segments_offset_ + index * sizeof(Elf64_Phdr));
}

std::string_view ElfFile::SectionName(const Elf64_Shdr& section) const {
  return StringAt(section_names_, section.sh_name);
}

size_t ElfFile::FindSection(std::string_view name) const {
  for (size_t i = 1; i < section_count_; ++i) {
    if (SectionName(Section(i)) == name) return i;
  }
  return 0;
}

size_t ElfFile::FindSectionOfType(uint32_t type) const {
  for (size_t i = 1; i < section_count_; ++i) {
    if (Section(i).sh_type == type) return i;
  }
  return 0;
}

std::string_view ElfFile::Contents(const Elf64_Shdr& section) const {
  if (section.sh_type == SHT_NOBITS || section.sh_offset > bytes_.size() ||
      section.sh_size > bytes_.size() - section.sh_offset) {
    return {};
  }
  return {bytes_.data() + section.sh_offset, static_cast<size_t>(section.sh_size)};
}

std::string_view ElfFile::Contents(std::string_view name) const {
  const size_t index = FindSection(name);
  if (index == 0) return {};
  const Elf64_Shdr section = Section(index);
  return (section.sh_flags & SHF_COMPRESSED) != 0 ? std::string_view() : Contents(section);
}

std::string_view ElfFile::BuildId() const {
  for (size_t i = 1; i < section_count_; ++i) {
    const Elf64_Shdr section = Section(i);
    if (section.sh_type != SHT_NOTE) continue;
    const std::string_view id = BuildIdInNotes(Contents(section), section.sh_addralign);
    if (!id.empty()) return id;
  }
  for (size_t i = 0; i < segment_count_; ++i) {
    const Elf64_Phdr segment = Segment(i);
    if (segment.p_type != PT_NOTE || segment.p_offset > bytes_.size() ||
        segment.p_filesz > bytes_.size() - segment.p_offset) {
      continue;
    }
    const std::string_view notes(bytes_.data() + segment.p_offset,
                                 static_cast<size_t>(segment.p_filesz));
    const std::string_view id = BuildIdInNotes(notes, segment.p_align);
    if (!id.empty()) return id;
  }
  return {};
}

bool ElfFile::DebugLink(std::string_view* name, uint32_t* crc) const {
  const std::string_view contents = Contents(".gnu_debuglink");
  ByteReader reader(contents);
  *name = reader.ReadString();
  reader.Skip((4 - reader.offset() % 4) % 4);
  *crc = reader.Read<uint32_t>();
  return reader.ok() && !name->empty();
}

uint64_t ElfFile::FirstLoadAddress() const {
  uint64_t lowest = ~uint64_t{0};
  for (size_t i = 0; i < segment_count_; ++i) {
    const Elf64_Phdr segment = Segment(i);
    if (segment.p_type == PT_LOAD && segment.p_vaddr < lowest) lowest = segment.p_vaddr;
  }
  return lowest == ~uint64_t{0} ? 0 : lowest & ~(kPageSize - 1);
}

}  // namespace autotrace::symbolizer
