#include "runtime/module_identity.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include <algorithm>

#include "runtime/futex.h"

namespace autotrace {
namespace {

constexpr size_t AlignTo4(size_t size) { return (size + 3) & ~size_t{3}; }

}  // namespace

uint32_t ModuleIdentity::WordAt(size_t offset) const {
  uint32_t value;
  memcpy(&value, reinterpret_cast<const char*>(start_) + offset, sizeof(value));
  return value;
}

void ModuleIdentity::Add(size_t offset) {
  // What the kernel is asked about must be aligned.
  if (count_ == kMostWords || offset % 4 != 0 || offset + 4 > kLookedAt) return;
  words_[count_++] = {static_cast<uint32_t>(offset), WordAt(offset)};
}

void ModuleIdentity::AddBuildId(size_t note_offset, size_t note_size) {
  const size_t end = std::min(note_offset + std::min(note_size, kLookedAt), kLookedAt);
  ElfW(Nhdr) note;
  for (size_t at = note_offset; at + sizeof(note) <= end;) {
    memcpy(&note, reinterpret_cast<const char*>(start_) + at, sizeof(note));
    if (note.n_namesz > kLookedAt || note.n_descsz > kLookedAt) return;
    const size_t description = at + sizeof(note) + AlignTo4(note.n_namesz);
    if (note.n_type == NT_GNU_BUILD_ID) {
      for (size_t word = 0; word + 4 <= note.n_descsz; word += 4) Add(description + word);
      return;
    }
    at = description + AlignTo4(note.n_descsz);
  }
}

void ModuleIdentity::Take(uint64_t start) {
  start_ = start;
  count_ = 0;
  ElfW(Ehdr) header;
  memcpy(&header, reinterpret_cast<const void*>(start), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
  Add(offsetof(ElfW(Ehdr), e_entry));
  Add(offsetof(ElfW(Ehdr), e_shoff));  // changes with nearly every change of the file
  uint64_t first_address = ~uint64_t{0};
  // Notes first: without a build id the sizes have to do.
  for (const bool notes : {true, false}) {
    for (size_t i = 0; i < header.e_phnum; ++i) {
      const size_t offset = header.e_phoff + i * sizeof(ElfW(Phdr));
      if (offset + sizeof(ElfW(Phdr)) > kLookedAt) break;
      ElfW(Phdr) segment;
      memcpy(&segment, reinterpret_cast<const char*>(start) + offset, sizeof(segment));
      if (segment.p_type == PT_LOAD) {
        first_address = std::min<uint64_t>(first_address, segment.p_vaddr & ~(kLookedAt - 1));
        if (!notes) Add(offset + offsetof(ElfW(Phdr), p_filesz));
      } else if (notes && segment.p_type == PT_NOTE && segment.p_vaddr >= first_address) {
        AddBuildId(segment.p_vaddr - first_address, segment.p_filesz);
      } else if (!notes && (segment.p_type == PT_DYNAMIC || segment.p_type == PT_GNU_EH_FRAME)) {
        Add(offset + offsetof(ElfW(Phdr), p_vaddr));
      }
    }
  }
}

bool ModuleIdentity::HoldsWhileLoaded() const {
  for (size_t i = 0; i < count_; ++i) {
    if (WordAt(words_[i].offset) != words_[i].value) return false;
  }
  return true;
}

bool ModuleIdentity::Holds() const {
  for (size_t i = 0; i < count_; ++i) {
    if (!FutexHolds(start_ + words_[i].offset, words_[i].value)) return false;
  }
  return true;
}

}  // namespace autotrace
