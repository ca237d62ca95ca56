#include "symbolizer/debug_info_ranges.h"

#include "symbolizer/dwarf_constants.h"

namespace autotrace::symbolizer {

namespace {

constexpr uint64_t kSelectsBase = ~uint64_t{0};

ByteReader OpenList(const Unit& unit, const AttributeValue& value) {
  const DebugSections& sections = unit.sections();
  if (unit.header().version < 5) return ByteReader(sections.ranges, value.number);
  if (value.form != DW_FORM_rnglistx) return ByteReader(sections.rnglists, value.number);
  // The base is that of a table of offsets, which count from the same base.
  const uint64_t base = unit.rnglists_base();
  const uint8_t offset_size = unit.header().offset_size;
  ByteReader table(sections.rnglists, base);
  table.Skip(value.number < sections.rnglists.size() ? value.number * offset_size
                                                     : sections.rnglists.size());
  const uint64_t offset = table.ReadUnsigned(offset_size);
  const bool inside = table.ok() && offset <= sections.rnglists.size() - base;
  return ByteReader(sections.rnglists, inside ? base + offset : sections.rnglists.size());
}

}  // namespace

RangeReader::RangeReader(const Unit& unit, const AttributeValue& value)
    : unit_(unit), reader_(OpenList(unit, value)), base_(unit.base_address()) {}

bool RangeReader::Next(uint64_t* start, uint64_t* end) {
  return unit_.header().version < 5 ? NextBeforeVersion5(start, end) : NextVersion5(start, end);
}

bool RangeReader::NextBeforeVersion5(uint64_t* start, uint64_t* end) {
  while (true) {
    const auto first = reader_.Read<uint64_t>();
    const auto second = reader_.Read<uint64_t>();
    if (!reader_.ok() || (first == 0 && second == 0)) return false;
    if (first == kSelectsBase) {
      base_ = second;
      continue;
    }
    *start = base_ + first;
    *end = base_ + second;
    return true;
  }
}

bool RangeReader::NextVersion5(uint64_t* start, uint64_t* end) {
  while (true) {
    const auto kind = reader_.Read<uint8_t>();
    switch (kind) {
      case DW_RLE_base_addressx:
        base_ = unit_.AddressAtIndex(reader_.ReadUleb());
        break;
      case DW_RLE_base_address:
        base_ = reader_.Read<uint64_t>();
        break;
      case DW_RLE_startx_endx:
        *start = unit_.AddressAtIndex(reader_.ReadUleb());
        *end = unit_.AddressAtIndex(reader_.ReadUleb());
        return reader_.ok();
      case DW_RLE_startx_length:
        *start = unit_.AddressAtIndex(reader_.ReadUleb());
        *end = *start + reader_.ReadUleb();
        return reader_.ok();
      case DW_RLE_offset_pair:
        *start = base_ + reader_.ReadUleb();
        *end = base_ + reader_.ReadUleb();
        return reader_.ok();
      case DW_RLE_start_end:
        *start = reader_.Read<uint64_t>();
        *end = reader_.Read<uint64_t>();
        return reader_.ok();
      case DW_RLE_start_length:
        *start = reader_.Read<uint64_t>();
        *end = *start + reader_.ReadUleb();
        return reader_.ok();
      default:  // DW_RLE_end_of_list, damage, or the reader's end
        return false;
    }
    if (!reader_.ok()) return false;
  }
}

bool ArangesReader::Next(uint64_t* unit_offset, uint64_t* start, uint64_t* end) {
  while (true) {
    const bool new_set = !in_set_;
    if (new_set && !NextSet()) return false;
    *unit_offset = unit_offset_;
    *start = set_.Read<uint64_t>();
    const auto length = set_.Read<uint64_t>();
    *end = *start + length;
    if (!set_.ok() || (*start == 0 && length == 0)) {
      in_set_ = false;
      if (!new_set) continue;
      *start = *end = 0;
    }
    return true;
  }
}

bool ArangesReader::NextSet() {
  while (true) {
    ByteReader header(aranges_, next_set_);
    uint64_t length = header.Read<uint32_t>();
    uint8_t offset_size = 4;
    if (length == 0xffffffff) {
      length = header.Read<uint64_t>();
      offset_size = 8;
    }
    if (!header.ok() || length == 0 || length > header.remaining()) return false;
    const uint64_t set_start = next_set_;
    next_set_ = header.offset() + length;
    const auto version = header.Read<uint16_t>();
    unit_offset_ = header.ReadUnsigned(offset_size);
    const auto address_size = header.Read<uint8_t>();
    const auto segment_size = header.Read<uint8_t>();
    if (!header.ok()) return false;
    if (version != 2 || address_size != 8 || segment_size != 0) continue;
    // Pairs start at a multiple of their size, counted from the start of the set.
    constexpr uint64_t kPairSize = 16;
    const uint64_t header_size = header.offset() - set_start;
    const uint64_t padding = (kPairSize - header_size % kPairSize) % kPairSize;
    set_ = ByteReader({aranges_.data(), next_set_}, header.offset() + padding);
    in_set_ = true;
    return true;
  }
}

}  // namespace autotrace::symbolizer
