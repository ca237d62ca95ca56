#include "symbolizer/debug_info.h"

#include <algorithm>

#include "symbolizer/debug_info_files.h"
#include "symbolizer/debug_info_ranges.h"
#include "symbolizer/dwarf_constants.h"
#include "symbolizer/special_member.h"

namespace autotrace::symbolizer {

namespace {

// From a definition to its declaration are three steps at most in what compilers write.
constexpr int kMaxReferences = 8;
// Hot and cold parts of one function, each a range.
constexpr int kMaxFunctionRanges = 64;
// Of entries in entries; what is nested deeper is read all the same, without what encloses it.
constexpr size_t kMaxDepth = 64;

}  // namespace

// Collected over an entry and those it refers to; the first to say something wins.
struct DebugInfo::Description {
  SpecialMemberTraits traits;
  size_t file_unit = kNone;  // whose line table file_number counts in
  uint64_t file_number = 0;
  uint64_t line = 0;
  uint64_t last_entry = 0;
};

bool DebugInfo::Attach(const ElfFile& elf) {
  sections_ = DebugSections::Of(elf);
  if (sections_.info.empty() || sections_.abbrev.empty()) {
    sections_ = DebugSections();
    return false;
  }
  for (size_t i = 1; i < elf.section_count(); ++i) {
    const Elf64_Shdr section = elf.Section(i);
    if ((section.sh_flags & SHF_EXECINSTR) == 0 || section.sh_addr == 0) continue;
    code_.Append({section.sh_addr, section.sh_addr + section.sh_size});
  }
  return true;
}

bool DebugInfo::FindFacts(uint64_t address, FunctionFacts* facts, bool* is_certain) {
  if (!available() || given_up_) return false;
  if (busy_.exchange(true, std::memory_order_acquire)) {
    if (is_certain != nullptr) *is_certain = false;
    return false;
  }
  const bool found = Find(address, facts);
  busy_.store(false, std::memory_order_release);
  return found;
}

bool DebugInfo::Find(uint64_t address, FunctionFacts* facts) {
  if (!listed_) {
    listed_ = true;
    ListUnits();
    ListRangesFromAranges();
    ListRangesOfOtherUnits();
    std::sort(unit_ranges_.begin(), unit_ranges_.end(),
              [](const UnitRange& a, const UnitRange& b) { return a.start < b.start; });
  }
  const UnitRange* range = FindUnitRange(address);
  if (range == nullptr) return false;
  UnitRecord& record = units_[range->unit];
  if (!record.walked) WalkUnit(&record);
  const FunctionRecord* function = FindFunction(record, address);
  if (function == nullptr) return false;
  return Describe(function->entry, facts);
}

void DebugInfo::ListUnits() {
  UnitHeader header;
  for (uint64_t offset = 0; header.Read(sections_.info, offset); offset = header.end) {
    if (!units_.Append({offset, 0, 0, 0, 0, false, false})) return;
  }
}

void DebugInfo::ListRangesFromAranges() {
  ArangesReader reader(sections_.aranges);
  uint64_t offset, start, end;
  while (reader.Next(&offset, &start, &end)) {
    const size_t unit = UnitAt(offset);
    if (unit == kNone || units_[unit].offset != offset) continue;
    units_[unit].in_aranges = true;
    AddUnitRange(start, end, unit);
  }
}

// Clang writes no .debug_aranges.
void DebugInfo::ListRangesOfOtherUnits() {
  for (size_t i = 0; i < units_.size(); ++i) {
    if (units_[i].in_aranges) continue;
    const Unit* unit = UseUnit(i);
    if (unit == nullptr || unit->root_tag() != DW_TAG_compile_unit) continue;
    if (!unit->has_ranges()) {
      AddUnitRange(unit->base_address(), unit->high_address(), i);
      continue;
    }
    RangeReader ranges(*unit, unit->ranges());
    uint64_t start, end;
    while (ranges.Next(&start, &end)) AddUnitRange(start, end, i);
  }
}

// Linkers set the addresses of code they left out to 0, 1 or -1, where no code is.
void DebugInfo::AddUnitRange(uint64_t start, uint64_t end, size_t unit) {
  if (start < end && IsCode(start)) unit_ranges_.Append({start, end, unit});
}

bool DebugInfo::IsCode(uint64_t address) const {
  return std::any_of(code_.begin(), code_.end(), [address](const AddressRange& section) {
    return section.start <= address && address < section.end;
  });
}

size_t DebugInfo::UnitAt(uint64_t info_offset) const {
  const UnitRecord* after = std::upper_bound(
      units_.begin(), units_.end(), info_offset,
      [](uint64_t offset, const UnitRecord& record) { return offset < record.offset; });
  return after == units_.begin() ? kNone : static_cast<size_t>(after - units_.begin()) - 1;
}

const DebugInfo::UnitRange* DebugInfo::FindUnitRange(uint64_t address) const {
  const UnitRange* range = std::upper_bound(
      unit_ranges_.begin(), unit_ranges_.end(), address,
      [](uint64_t wanted, const UnitRange& candidate) { return wanted < candidate.start; });
  if (range == unit_ranges_.begin()) return nullptr;
  --range;
  return address < range->end ? range : nullptr;
}

void DebugInfo::WalkUnit(UnitRecord* record) {
  record->walked = true;
  record->first_function = functions_.size();
  record->first_enclosed = enclosed_.size();
  const Unit* unit = UseUnit(static_cast<size_t>(record - units_.begin()));
  if (unit == nullptr) return;
  // Entries whose children the reader is among; the unit's root counts as none.
  uint64_t enclosing[kMaxDepth] = {};
  size_t depth = 0;
  ByteReader reader({sections_.info.data(), unit->header().end}, unit->header().first_die);
  // In one sweep over the bytes: functions can be nested in anything.
  while (!reader.at_end()) {
    const uint64_t offset = reader.offset();
    const AbbreviationTable::Entry* entry = unit->ReadEntryHead(&reader);
    if (entry == nullptr) {
      if (depth > 0) --depth;
      continue;
    }
    if (entry->tag == DW_TAG_subprogram) {
      const uint64_t around = depth > 1 && depth <= kMaxDepth ? enclosing[depth - 1] : 0;
      ReadFunction(*unit, *entry, offset, around, &reader);
    } else {
      unit->SkipAttributes(*entry, &reader);
    }
    if (!entry->has_children) continue;
    if (depth < kMaxDepth) enclosing[depth] = offset;
    ++depth;
  }
  record->enclosed_count = enclosed_.size() - record->first_enclosed;
  record->function_count = functions_.size() - record->first_function;
  FunctionRecord* first = functions_.begin() + record->first_function;
  std::sort(first, functions_.end(), [](const FunctionRecord& a, const FunctionRecord& b) {
    return a.address != b.address ? a.address < b.address : a.entry < b.entry;
  });
}

void DebugInfo::ReadFunction(const Unit& unit, const AbbreviationTable::Entry& entry,
                             uint64_t offset, uint64_t enclosing, ByteReader* reader) {
  AttributeValue low_pc, ranges;
  bool says_where = false;
  unit.ReadAttributes(entry, reader, [&](uint16_t name, const AttributeValue& value) {
    if (name == DW_AT_low_pc) low_pc = value;
    if (name == DW_AT_ranges) ranges = value;
    says_where |=
        name == DW_AT_decl_file || name == DW_AT_abstract_origin || name == DW_AT_specification;
  });
  if (!says_where && enclosing != 0) enclosed_.Append({offset, enclosing});
  if (low_pc.form != 0) {
    const uint64_t address = unit.Address(low_pc);
    if (IsCode(address)) functions_.Append({address, offset});
  }
  if (ranges.form == 0) return;
  RangeReader range_reader(unit, ranges);
  uint64_t start, end;
  for (int i = 0; i < kMaxFunctionRanges && range_reader.Next(&start, &end); ++i) {
    if (start < end && IsCode(start)) functions_.Append({start, offset});
  }
}

const DebugInfo::FunctionRecord* DebugInfo::FindFunction(const UnitRecord& record,
                                                         uint64_t address) const {
  const FunctionRecord* first = functions_.begin() + record.first_function;
  const FunctionRecord* last = first + record.function_count;
  const FunctionRecord* found = std::lower_bound(
      first, last, address,
      [](const FunctionRecord& candidate, uint64_t wanted) { return candidate.address < wanted; });
  return found != last && found->address == address ? found : nullptr;
}

Unit* DebugInfo::UseUnit(size_t index) {
  const uint64_t offset = units_[index].offset;
  for (size_t i = 0; i < 2; ++i) {
    if (!loaded_[i].IsLoaded(offset)) continue;
    last_used_ = i;
    return &loaded_[i];
  }
  last_used_ = 1 - last_used_;
  Unit& unit = loaded_[last_used_];
  return unit.Load(sections_, offset) ? &unit : nullptr;
}

uint64_t DebugInfo::FindEnclosing(uint64_t entry) const {
  const size_t unit = UnitAt(entry);
  if (unit == kNone) return 0;
  const EnclosedRecord* first = enclosed_.begin() + units_[unit].first_enclosed;
  const EnclosedRecord* last = first + units_[unit].enclosed_count;
  const EnclosedRecord* found = std::lower_bound(
      first, last, entry,
      [](const EnclosedRecord& candidate, uint64_t wanted) { return candidate.entry < wanted; });
  return found != last && found->entry == entry ? found->enclosing : 0;
}

bool DebugInfo::Describe(uint64_t entry, FunctionFacts* facts) {
  Description description;
  if (!Collect(entry, &description)) return false;
  *facts = FunctionFacts();
  facts->compiler_made = IsCompilerMadeMember(description.traits);
  if (description.file_unit == kNone) {
    const uint64_t enclosing = FindEnclosing(description.last_entry);
    if (enclosing != 0) Collect(enclosing, &description);
  }
  facts->line = static_cast<uint32_t>(description.line);
  if (description.file_unit == kNone) return true;
  const Unit* unit = UseUnit(description.file_unit);
  if (unit != nullptr) {
    FindSourceFile(*unit, description.file_number, &facts->directory, &facts->file);
  }
  return true;
}

bool DebugInfo::Collect(uint64_t entry, Description* description) {
  for (int step = 0; step < kMaxReferences && entry != 0; ++step) {
    const size_t index = UnitAt(entry);
    const Unit* unit = index == kNone ? nullptr : UseUnit(index);
    if (unit == nullptr || entry < unit->header().first_die || entry >= unit->header().end) break;
    uint64_t next = 0;
    ByteReader reader({sections_.info.data(), unit->header().end}, entry);
    unit->ReadEntry(&reader, [&](uint16_t name, const AttributeValue& value) {
      SpecialMemberTraits& traits = description->traits;
      switch (name) {
        case DW_AT_abstract_origin:
        case DW_AT_specification:
          next = unit->Reference(value);
          break;
        case DW_AT_artificial:
        case DW_AT_defaulted:  // DW_DEFAULTED_no is 0
          traits.generated |= value.number != 0;
          break;
        case DW_AT_object_pointer:
          traits.has_object_pointer = true;
          break;
        case DW_AT_name:
          if (traits.name.empty()) traits.name = unit->String(value);
          break;
        case DW_AT_decl_line:
          if (description->line == 0) description->line = value.number;
          break;
        case DW_AT_decl_file:
          if (description->file_unit != kNone) break;
          description->file_unit = index;
          description->file_number = value.number;
          break;
        default:
          break;
      }
    });
    if (!reader.ok()) return false;
    description->last_entry = entry;
    entry = next;
  }
  return true;
}

}  // namespace autotrace::symbolizer
