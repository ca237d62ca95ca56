#include "symbolizer/debug_info_unit.h"

#include "symbolizer/dwarf_constants.h"

namespace autotrace::symbolizer {

namespace {

constexpr int64_t kVariableSize = -1;

// Bytes that a value of this form takes, or kVariableSize.
int64_t FormSize(uint16_t form, const UnitHeader& header) {
  switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
      return 0;
    case DW_FORM_data1:
    case DW_FORM_flag:
    case DW_FORM_ref1:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
      return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
      return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
      return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
    case DW_FORM_ref_sup4:
      return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sig8:
    case DW_FORM_ref_sup8:
      return 8;
    case DW_FORM_data16:
      return 16;
    case DW_FORM_addr:
      return header.address_size;
    case DW_FORM_ref_addr:
      return header.version <= 2 ? header.address_size : header.offset_size;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_sec_offset:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt:
      return header.offset_size;
    default:
      return kVariableSize;
  }
}

bool IsSupportedType(uint8_t type) {
  return type == DW_UT_compile || type == DW_UT_partial || type == DW_UT_type;
}

}  // namespace

DebugSections DebugSections::Of(const ElfFile& elf) {
  DebugSections sections;
  sections.info = elf.Contents(".debug_info");
  sections.abbrev = elf.Contents(".debug_abbrev");
  sections.str = elf.Contents(".debug_str");
  sections.line_str = elf.Contents(".debug_line_str");
  sections.str_offsets = elf.Contents(".debug_str_offsets");
  sections.line = elf.Contents(".debug_line");
  sections.aranges = elf.Contents(".debug_aranges");
  sections.ranges = elf.Contents(".debug_ranges");
  sections.rnglists = elf.Contents(".debug_rnglists");
  sections.addr = elf.Contents(".debug_addr");
  return sections;
}

bool UnitHeader::Read(std::string_view info, uint64_t at) {
  *this = UnitHeader();
  ByteReader reader(info, at);
  uint64_t length = reader.Read<uint32_t>();
  if (length == 0xffffffff) {
    offset_size = 8;
    length = reader.Read<uint64_t>();
  }
  if (!reader.ok() || length > reader.remaining() || length == 0) return false;
  offset = at;
  end = reader.offset() + length;
  version = reader.Read<uint16_t>();
  if (version >= 5) {
    type = reader.Read<uint8_t>();
    address_size = reader.Read<uint8_t>();
    abbrev_offset = reader.ReadUnsigned(offset_size);
    if (type == DW_UT_type) reader.Skip(8 + uint64_t{offset_size});
  } else {
    type = DW_UT_compile;
    abbrev_offset = reader.ReadUnsigned(offset_size);
    address_size = reader.Read<uint8_t>();
  }
  if (reader.ok() && version >= 2 && version <= 5 && address_size == 8 && IsSupportedType(type) &&
      reader.offset() < end) {
    first_die = reader.offset();
  }
  return true;
}

bool ReadAttributeValue(ByteReader* reader, const UnitHeader& header, uint16_t form,
                        int64_t implicit_constant, AttributeValue* value) {
  value->form = form;
  value->number = 0;
  value->bytes = {};
  const int64_t size = FormSize(form, header);
  if (size > 8) {
    reader->Skip(static_cast<uint64_t>(size));
    return reader->ok();
  }
  if (size > 0) {
    value->number = reader->ReadUnsigned(static_cast<unsigned>(size));
    return reader->ok();
  }
  switch (form) {
    case DW_FORM_flag_present:
      value->number = 1;
      break;
    case DW_FORM_implicit_const:
      value->number = static_cast<uint64_t>(implicit_constant);
      break;
    case DW_FORM_sdata:
      value->number = static_cast<uint64_t>(reader->ReadSleb());
      break;
    case DW_FORM_udata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index:
      value->number = reader->ReadUleb();
      break;
    case DW_FORM_string:
      value->bytes = reader->ReadString();
      break;
    case DW_FORM_block1:
      reader->Skip(reader->Read<uint8_t>());
      break;
    case DW_FORM_block2:
      reader->Skip(reader->Read<uint16_t>());
      break;
    case DW_FORM_block4:
      reader->Skip(reader->Read<uint32_t>());
      break;
    case DW_FORM_block:
    case DW_FORM_exprloc:
      reader->Skip(reader->ReadUleb());
      break;
    case DW_FORM_indirect: {
      const uint64_t actual = reader->ReadUleb();
      // Neither may stand behind an indirection, and a chain of them could exhaust the stack.
      if (actual == DW_FORM_indirect || actual == DW_FORM_implicit_const || actual > 0xffff) {
        return false;
      }
      return ReadAttributeValue(reader, header, static_cast<uint16_t>(actual), 0, value);
    }
    default:
      return false;
  }
  return reader->ok();
}

void AbbreviationTable::Load(std::string_view abbrev, const UnitHeader& header) {
  entries_.Truncate(0);
  ByteReader reader(abbrev, header.abbrev_offset);
  while (reader.ok()) {
    Entry entry;
    entry.code = reader.ReadUleb();
    if (entry.code == 0) return;
    entry.tag = static_cast<uint16_t>(reader.ReadUleb());
    entry.has_children = reader.Read<uint8_t>() != 0;
    entry.attributes_offset = reader.offset();
    int64_t fixed_size = 0;
    while (reader.ok()) {
      const uint64_t name = reader.ReadUleb();
      const uint64_t form = reader.ReadUleb();
      if (form == DW_FORM_implicit_const) reader.ReadSleb();
      if (name == 0 && form == 0) break;
      const int64_t size = FormSize(static_cast<uint16_t>(form), header);
      fixed_size = fixed_size < 0 || size < 0 ? kVariableSize : fixed_size + size;
    }
    if (!reader.ok() || fixed_size > INT32_MAX) return;
    entry.fixed_size = static_cast<int32_t>(fixed_size);
    if (!entries_.Append(entry)) return;
  }
}

const AbbreviationTable::Entry* AbbreviationTable::Find(uint64_t code) const {
  // Compilers number them 1, 2, 3, ...
  if (code - 1 < entries_.size() && entries_[code - 1].code == code) return &entries_[code - 1];
  for (const Entry& entry : entries_) {
    if (entry.code == code) return &entry;
  }
  return nullptr;
}

bool Unit::Load(const DebugSections& sections, uint64_t offset) {
  loaded_ = false;
  sections_ = &sections;
  const UnitHeader previous = header_;
  if (!header_.Read(sections.info, offset) || header_.first_die == 0) return false;
  // Units often share one table.
  if (previous.first_die == 0 || previous.abbrev_offset != header_.abbrev_offset ||
      previous.version != header_.version || previous.offset_size != header_.offset_size) {
    abbreviations_.Load(sections.abbrev, header_);
  }
  loaded_ = LoadRoot();
  return loaded_;
}

bool Unit::LoadRoot() {
  root_tag_ = 0;
  has_ranges_ = false;
  has_line_table_ = false;
  base_address_ = 0;
  high_address_ = 0;
  line_table_offset_ = 0;
  compilation_directory_ = {};
  // What the bases are when the root does not say: just after the first contribution's header.
  str_offsets_base_ = header_.offset_size == 8 ? 16 : 8;
  addr_base_ = str_offsets_base_;
  rnglists_base_ = header_.offset_size == 8 ? 20 : 12;

  AttributeValue low, high, directory;
  ByteReader reader({sections_->info.data(), header_.end}, header_.first_die);
  const AbbreviationTable::Entry* root =
      ReadEntry(&reader, [&](uint16_t name, const AttributeValue& value) {
        switch (name) {
          case DW_AT_low_pc:
            low = value;
            break;
          case DW_AT_high_pc:
            high = value;
            break;
          case DW_AT_ranges:
            has_ranges_ = true;
            ranges_ = value;
            break;
          case DW_AT_stmt_list:
            has_line_table_ = true;
            line_table_offset_ = value.number;
            break;
          case DW_AT_comp_dir:
            directory = value;
            break;
          case DW_AT_str_offsets_base:
            str_offsets_base_ = value.number;
            break;
          case DW_AT_addr_base:
            addr_base_ = value.number;
            break;
          case DW_AT_rnglists_base:
            rnglists_base_ = value.number;
            break;
          default:
            break;
        }
      });
  if (root == nullptr || !reader.ok()) return false;
  // Only now, because indexed forms need the bases, which may come after them.
  root_tag_ = root->tag;
  base_address_ = Address(low);
  high_address_ =
      high.form == DW_FORM_addr || high.form == 0 ? high.number : base_address_ + high.number;
  compilation_directory_ = String(directory);
  return true;
}

std::string_view Unit::String(const AttributeValue& value) const {
  switch (value.form) {
    case DW_FORM_string:
      return value.bytes;
    case DW_FORM_strp:
      return StringAt(sections_->str, value.number);
    case DW_FORM_line_strp:
      return StringAt(sections_->line_str, value.number);
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4: {
      if (value.number > sections_->str_offsets.size()) return {};
      ByteReader reader(sections_->str_offsets, str_offsets_base_);
      reader.Skip(value.number * header_.offset_size);
      const uint64_t offset = reader.ReadUnsigned(header_.offset_size);
      return reader.ok() ? StringAt(sections_->str, offset) : std::string_view();
    }
    default:
      return {};
  }
}

uint64_t Unit::Address(const AttributeValue& value) const {
  switch (value.form) {
    case DW_FORM_addr:
      return value.number;
    case DW_FORM_addrx:
    case DW_FORM_addrx1:
    case DW_FORM_addrx2:
    case DW_FORM_addrx3:
    case DW_FORM_addrx4:
      return AddressAtIndex(value.number);
    default:
      return 0;
  }
}

uint64_t Unit::AddressAtIndex(uint64_t index) const {
  if (index > sections_->addr.size()) return 0;
  ByteReader reader(sections_->addr, addr_base_);
  reader.Skip(index * header_.address_size);
  return reader.ReadUnsigned(header_.address_size);
}

uint64_t Unit::Reference(const AttributeValue& value) const {
  switch (value.form) {
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
      return value.number < header_.end - header_.offset ? header_.offset + value.number : 0;
    case DW_FORM_ref_addr:
      return value.number;
    default:
      return 0;
  }
}

const AbbreviationTable::Entry* Unit::ReadEntryHead(ByteReader* reader) const {
  const uint64_t code = reader->ReadUleb();
  if (code == 0) return nullptr;
  const AbbreviationTable::Entry* entry = abbreviations_.Find(code);
  if (entry == nullptr) reader->Skip(~uint64_t{0});
  return entry;
}

void Unit::SkipAttributes(const AbbreviationTable::Entry& entry, ByteReader* reader) const {
  if (entry.fixed_size >= 0) {
    reader->Skip(static_cast<uint64_t>(entry.fixed_size));
  } else {
    ReadAttributes(entry, reader, [](uint16_t, const AttributeValue&) {});
  }
}

bool Unit::NextAttribute(ByteReader* names, AbbreviationTable::Attribute* attribute) {
  attribute->name = static_cast<uint16_t>(names->ReadUleb());
  attribute->form = static_cast<uint16_t>(names->ReadUleb());
  attribute->implicit_constant = attribute->form == DW_FORM_implicit_const ? names->ReadSleb() : 0;
  return names->ok() && (attribute->name != 0 || attribute->form != 0);
}

}  // namespace autotrace::symbolizer
