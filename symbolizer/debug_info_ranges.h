// Address ranges in debug information: DW_AT_ranges through .debug_ranges (up to DWARF 4) or
// .debug_rnglists (DWARF 5), and .debug_aranges. Async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_DEBUG_INFO_RANGES_H_
#define AUTOTRACE_SYMBOLIZER_DEBUG_INFO_RANGES_H_

#include <stdint.h>

#include "symbolizer/debug_info_unit.h"

namespace autotrace::symbolizer {

// The ranges of one list, one after the other:
//   RangeReader reader(unit, value);
//   while (reader.Next(&start, &end)) ...
class RangeReader {
 public:
  // `value`: of DW_AT_ranges, in `unit`, which must outlive this object.
  RangeReader(const Unit& unit, const AttributeValue& value);

  // False at the end of the list, and at damage. Ranges may be empty or of discarded code.
  bool Next(uint64_t* start, uint64_t* end);

 private:
  bool NextBeforeVersion5(uint64_t* start, uint64_t* end);
  bool NextVersion5(uint64_t* start, uint64_t* end);

  const Unit& unit_;
  ByteReader reader_;
  uint64_t base_;
};

// The sets of .debug_aranges, one range after the other.
class ArangesReader {
 public:
  explicit ArangesReader(std::string_view aranges) : aranges_(aranges), set_(aranges) {}

  // `unit_offset`: the unit in .debug_info that the range belongs to. A set without any range is
  // reported with start and end 0.
  bool Next(uint64_t* unit_offset, uint64_t* start, uint64_t* end);

 private:
  bool NextSet();

  std::string_view aranges_;
  ByteReader set_;
  uint64_t next_set_ = 0;
  uint64_t unit_offset_ = 0;
  bool in_set_ = false;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_DEBUG_INFO_RANGES_H_
