// One unit of .debug_info: its header, its abbreviations, and the entries (DIEs) in it.
//
// The lowest layer of the DWARF reader for traced threads (debug_info.h). Async-signal-safe; every
// offset is checked, and what cannot be read counts as absent.
#ifndef AUTOTRACE_SYMBOLIZER_DEBUG_INFO_UNIT_H_
#define AUTOTRACE_SYMBOLIZER_DEBUG_INFO_UNIT_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "symbolizer/byte_reader.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/page_array.h"

namespace autotrace::symbolizer {

struct DebugSections {
  std::string_view info;
  std::string_view abbrev;
  std::string_view str;
  std::string_view line_str;
  std::string_view str_offsets;
  std::string_view line;
  std::string_view aranges;
  std::string_view ranges;
  std::string_view rnglists;
  std::string_view addr;

  // Compressed sections stay empty.
  static DebugSections Of(const ElfFile& elf);
};

// The fixed part of a unit.
struct UnitHeader {
  uint64_t offset = 0;     // in .debug_info
  uint64_t end = 0;        // where the next unit starts
  uint64_t first_die = 0;  // in .debug_info
  uint64_t abbrev_offset = 0;
  uint16_t version = 0;
  uint8_t type = 0;  // DW_UT_*; compile before DWARF 5
  uint8_t offset_size = 4;
  uint8_t address_size = 8;

  // False when no header can be read there. A header of an unknown version, type or address size
  // is read up to `end`, so that its successor is found, and has first_die 0.
  bool Read(std::string_view info, uint64_t at);
};

// An attribute's value as its form has it. Strings, addresses and references that need other
// sections are looked up by Unit.
struct AttributeValue {
  uint16_t form = 0;
  uint64_t number = 0;     // constant, address, reference, offset or index
  std::string_view bytes;  // DW_FORM_string
};

// Reads one value. False for an unknown form or at the end of the bytes.
bool ReadAttributeValue(ByteReader* reader, const UnitHeader& header, uint16_t form,
                        int64_t implicit_constant, AttributeValue* value);

// What the entries of a unit look like, by abbreviation code.
class AbbreviationTable {
 public:
  struct Attribute {
    uint16_t name;
    uint16_t form;
    int64_t implicit_constant;
  };
  struct Entry {
    uint64_t code;
    uint64_t attributes_offset;  // in .debug_abbrev
    uint16_t tag;
    bool has_children;
    int32_t fixed_size;  // of the attributes' values, or -1 when that varies
  };

  void Load(std::string_view abbrev, const UnitHeader& header);
  // Null when there is none.
  const Entry* Find(uint64_t code) const;

 private:
  PageArray<Entry> entries_;
};

// A unit ready to be read: header, abbreviations, and what its root entry says of the whole.
class Unit {
 public:
  // Reads the unit at `offset` of .debug_info. False when it is not one that this reads. Of several
  // calls all must be given the same sections.
  bool Load(const DebugSections& sections, uint64_t offset);
  bool IsLoaded(uint64_t offset) const { return loaded_ && header_.offset == offset; }

  const UnitHeader& header() const { return header_; }
  const DebugSections& sections() const { return *sections_; }
  uint16_t root_tag() const { return root_tag_; }
  // DW_AT_low_pc of the root: what offsets in range lists count from.
  uint64_t base_address() const { return base_address_; }
  // The root's DW_AT_ranges, or its low_pc and high_pc.
  bool has_ranges() const { return has_ranges_; }
  const AttributeValue& ranges() const { return ranges_; }
  uint64_t high_address() const { return high_address_; }
  bool has_line_table() const { return has_line_table_; }
  uint64_t line_table_offset() const { return line_table_offset_; }
  uint64_t rnglists_base() const { return rnglists_base_; }
  std::string_view compilation_directory() const { return compilation_directory_; }

  std::string_view String(const AttributeValue& value) const;
  // An address, direct or by index; 0 when unknown.
  uint64_t Address(const AttributeValue& value) const;
  uint64_t AddressAtIndex(uint64_t index) const;
  // The entry that a reference means, as an offset in .debug_info; 0 when it is in another file or
  // a type unit.
  uint64_t Reference(const AttributeValue& value) const;

  // Reads the entry at the reader's position (the reader is over .debug_info), calling
  // visit(attribute name, value) for each attribute. Null at the end of a list of children, and at
  // damage, when the reader is no longer ok.
  template <typename Visitor>
  const AbbreviationTable::Entry* ReadEntry(ByteReader* reader, Visitor&& visit) const {
    const AbbreviationTable::Entry* entry = ReadEntryHead(reader);
    if (entry != nullptr) ReadAttributes(*entry, reader, visit);
    return entry;
  }

  // The same in two steps, for walks that pass over most entries.
  const AbbreviationTable::Entry* ReadEntryHead(ByteReader* reader) const;
  template <typename Visitor>
  void ReadAttributes(const AbbreviationTable::Entry& entry, ByteReader* reader,
                      Visitor&& visit) const {
    ByteReader names(sections_->abbrev, entry.attributes_offset);
    AbbreviationTable::Attribute attribute;
    AttributeValue value;
    while (NextAttribute(&names, &attribute)) {
      if (!ReadAttributeValue(reader, header_, attribute.form, attribute.implicit_constant,
                              &value)) {
        reader->Skip(~uint64_t{0});
        return;
      }
      visit(attribute.name, value);
    }
  }
  void SkipAttributes(const AbbreviationTable::Entry& entry, ByteReader* reader) const;

 private:
  static bool NextAttribute(ByteReader* names, AbbreviationTable::Attribute* attribute);
  bool LoadRoot();

  const DebugSections* sections_ = nullptr;
  bool loaded_ = false;
  UnitHeader header_;
  AbbreviationTable abbreviations_;
  uint16_t root_tag_ = 0;
  bool has_ranges_ = false;
  bool has_line_table_ = false;
  AttributeValue ranges_;
  uint64_t base_address_ = 0;
  uint64_t high_address_ = 0;
  uint64_t line_table_offset_ = 0;
  uint64_t str_offsets_base_ = 0;
  uint64_t addr_base_ = 0;
  uint64_t rnglists_base_ = 0;
  std::string_view compilation_directory_;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_DEBUG_INFO_UNIT_H_
