// Tells members that the compiler wrote (constructors, destructors and assignments, whether
// implicit, inherited or defaulted) from functions that people wrote. Async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_SPECIAL_MEMBER_H_
#define AUTOTRACE_SYMBOLIZER_SPECIAL_MEMBER_H_

#include <string_view>

namespace autotrace::symbolizer {

// What debug information says of a function, over its definition and declarations.
struct SpecialMemberTraits {
  std::string_view name;            // DW_AT_name: without scope; "operator=", "~Thing", "Thing"
  bool generated = false;           // DW_AT_artificial or DW_AT_defaulted
  bool has_object_pointer = false;  // is a non-static member
};

// Compilers also mark as generated what is no special member and stays: defaulted comparisons, a
// lambda's operator() (GCC), its conversion to a pointer, static initialization.
bool IsCompilerMadeMember(const SpecialMemberTraits& traits);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_SPECIAL_MEMBER_H_
