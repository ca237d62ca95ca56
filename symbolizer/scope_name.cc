#include "symbolizer/scope_name.h"

#include <dwarf.h>
#include <stdlib.h>

#include <memory>

namespace autotrace::symbolizer {
namespace {

constexpr int kMaxReferences = 8;

struct Free {
  void operator()(void* memory) const { free(memory); }
};

// Follows a definition or an inlined call to the declaration, which stands in its scope.
Dwarf_Die Declaration(Dwarf_Die entry) {
  for (int step = 0; step < kMaxReferences; ++step) {
    Dwarf_Attribute attribute;
    Dwarf_Die next;
    if ((dwarf_attr(&entry, DW_AT_abstract_origin, &attribute) == nullptr &&
         dwarf_attr(&entry, DW_AT_specification, &attribute) == nullptr) ||
        dwarf_formref_die(&attribute, &next) == nullptr) {
      break;
    }
    entry = next;
  }
  return entry;
}

// Empty for what does not show in a name: lexical blocks and the unit.
std::string ScopePart(Dwarf_Die* scope) {
  const char* name = dwarf_diename(scope);
  switch (dwarf_tag(scope)) {
    case DW_TAG_namespace:
      return name == nullptr ? "(anonymous namespace)" : name;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      // GCC calls closure classes "<lambda(int)>" or nothing.
      return name == nullptr || name[0] == '<' ? "{lambda}" : name;
    case DW_TAG_subprogram:
      return name == nullptr ? std::string() : std::string(name) + "()";
    default:
      return {};
  }
}

}  // namespace

std::string ScopeName(Dwarf_Die* function) {
  Dwarf_Die declaration = Declaration(*function);
  const char* name = dwarf_diename(&declaration);
  if (name == nullptr) return {};
  std::string result = name;
  Dwarf_Die* scopes = nullptr;
  const int count = dwarf_getscopes_die(&declaration, &scopes);
  const std::unique_ptr<Dwarf_Die, Free> owner(scopes);
  // The first one is the function itself.
  for (int i = 1; i < count; ++i) {
    const std::string part = ScopePart(&scopes[i]);
    if (!part.empty()) result = part + "::" + result;
  }
  return result;
}

}  // namespace autotrace::symbolizer
