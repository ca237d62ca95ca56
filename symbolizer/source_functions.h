// The functions of one compilation unit by address, inlined ones included: which one an instruction
// belongs to, as addr2line decides it. Part of source_locator.h; reader only.
#ifndef AUTOTRACE_SYMBOLIZER_SOURCE_FUNCTIONS_H_
#define AUTOTRACE_SYMBOLIZER_SOURCE_FUNCTIONS_H_

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "absl/container/flat_hash_map.h"

namespace autotrace::symbolizer {

class SourceFunctions {
 public:
  // Walks all of the unit. `unit` is its DW_TAG_compile_unit.
  explicit SourceFunctions(Dwarf_Die unit);

  // Entries are offsets in .debug_info; 0 means none.

  // The function or inlined call (DW_TAG_subprogram, DW_TAG_inlined_subroutine) with the shortest
  // range around the address.
  Dwarf_Off Innermost(uint64_t address) const;
  // The function that starts at the address.
  Dwarf_Off StartingAt(uint64_t address) const;
  // Where the code of this abstract function stands on its own; 0 when it is only inlined.
  uint64_t OutOfLineAddress(Dwarf_Off abstract) const;
  // The class around a member function that is declared inside it and says no line of its own: the
  // operator() of a lambda expression.
  Dwarf_Off ClassAround(Dwarf_Off function) const;

 private:
  struct Interval {
    uint64_t start;
    uint64_t end;
    Dwarf_Off entry;
    size_t sequence;  // in the order of the entries
  };
  // From `start` to the next segment's start.
  struct Segment {
    uint64_t start;
    Dwarf_Off entry;
  };

  void Walk(Dwarf_Die* parent, int depth);
  void Add(Dwarf_Die* function, Dwarf_Die* parent);
  void MakeSegments();

  std::vector<Interval> intervals_;  // only while the unit is walked
  std::vector<Segment> segments_;
  absl::flat_hash_map<uint64_t, Dwarf_Off> starts_;
  absl::flat_hash_map<Dwarf_Off, uint64_t> out_of_line_;
  absl::flat_hash_map<Dwarf_Off, Dwarf_Off> classes_;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_SOURCE_FUNCTIONS_H_
