#include "symbolizer/source_functions.h"

#include <dwarf.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace autotrace::symbolizer {
namespace {

// Deeper nesting than any compiler writes; damaged files must not exhaust the stack.
constexpr int kMaxDepth = 256;

bool IsClass(int tag) {
  return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

}  // namespace

SourceFunctions::SourceFunctions(Dwarf_Die unit) {
  Walk(&unit, 0);
  MakeSegments();
}

Dwarf_Off SourceFunctions::Innermost(uint64_t address) const {
  auto after = std::upper_bound(
      segments_.begin(), segments_.end(), address,
      [](uint64_t wanted, const Segment& segment) { return wanted < segment.start; });
  return after == segments_.begin() ? 0 : std::prev(after)->entry;
}

Dwarf_Off SourceFunctions::StartingAt(uint64_t address) const {
  const auto found = starts_.find(address);
  return found == starts_.end() ? 0 : found->second;
}

uint64_t SourceFunctions::OutOfLineAddress(Dwarf_Off abstract) const {
  const auto found = out_of_line_.find(abstract);
  return found == out_of_line_.end() ? 0 : found->second;
}

Dwarf_Off SourceFunctions::ClassAround(Dwarf_Off function) const {
  const auto found = classes_.find(function);
  return found == classes_.end() ? 0 : found->second;
}

void SourceFunctions::Walk(Dwarf_Die* parent, int depth) {
  Dwarf_Die child;
  if (depth > kMaxDepth || dwarf_child(parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) Add(&child, parent);
    if (dwarf_haschildren(&child) > 0) Walk(&child, depth + 1);
  } while (dwarf_siblingof(&child, &child) == 0);
}

void SourceFunctions::Add(Dwarf_Die* function, Dwarf_Die* parent) {
  const Dwarf_Off entry = dwarf_dieoffset(function);
  const bool is_subprogram = dwarf_tag(function) == DW_TAG_subprogram;
  if (is_subprogram && IsClass(dwarf_tag(parent)) && !dwarf_hasattr(function, DW_AT_decl_file)) {
    classes_[entry] = dwarf_dieoffset(parent);
  }
  Dwarf_Addr base, start, end;
  bool is_first = true;
  for (ptrdiff_t at = 0; (at = dwarf_ranges(function, at, &base, &start, &end)) > 0;) {
    if (start == 0 || start >= end) continue;  // left out by the linker
    intervals_.push_back({start, end, entry, intervals_.size()});
    if (!is_subprogram) continue;
    starts_.try_emplace(start, entry);
    Dwarf_Attribute attribute;
    Dwarf_Die abstract;
    if (is_first && dwarf_attr(function, DW_AT_abstract_origin, &attribute) != nullptr &&
        dwarf_formref_die(&attribute, &abstract) != nullptr) {
      out_of_line_.try_emplace(dwarf_dieoffset(&abstract), start);
    }
    is_first = false;
  }
}

void SourceFunctions::MakeSegments() {
  struct Boundary {
    uint64_t address;
    bool is_start;
    const Interval* interval;
  };
  std::vector<Boundary> boundaries;
  boundaries.reserve(intervals_.size() * 2);
  for (const Interval& interval : intervals_) {
    boundaries.push_back({interval.start, true, &interval});
    boundaries.push_back({interval.end, false, &interval});
  }
  std::sort(boundaries.begin(), boundaries.end(),
            [](const Boundary& a, const Boundary& b) { return a.address < b.address; });

  // The shortest comes first; of equal ones the inner, which has the later entry.
  const auto is_inner = [](const Interval* a, const Interval* b) {
    return std::make_tuple(a->end - a->start, b->sequence) <
           std::make_tuple(b->end - b->start, a->sequence);
  };
  std::set<const Interval*, decltype(is_inner)> open(is_inner);
  for (size_t i = 0; i < boundaries.size();) {
    const uint64_t address = boundaries[i].address;
    for (; i < boundaries.size() && boundaries[i].address == address; ++i) {
      if (boundaries[i].is_start) {
        open.insert(boundaries[i].interval);
      } else {
        open.erase(boundaries[i].interval);
      }
    }
    const Dwarf_Off entry = open.empty() ? 0 : (*open.begin())->entry;
    if (segments_.empty() || segments_.back().entry != entry) segments_.push_back({address, entry});
  }
  intervals_ = {};
}

}  // namespace autotrace::symbolizer
