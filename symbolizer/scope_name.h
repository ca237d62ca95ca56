// A function's qualified name put together from debug information, for functions that have neither
// a linkage name nor a symbol: inlined everywhere, and local to a file. Reader only.
#ifndef AUTOTRACE_SYMBOLIZER_SCOPE_NAME_H_
#define AUTOTRACE_SYMBOLIZER_SCOPE_NAME_H_

#include <elfutils/libdw.h>

#include <string>

namespace autotrace::symbolizer {

// `function`: DW_TAG_subprogram or DW_TAG_inlined_subroutine. Scopes are written as QualifiedName
// writes them, except that lambda expressions have no number: "run()::{lambda}::operator()". Takes
// time in proportion to the unit's size. Empty when the function has no name.
std::string ScopeName(Dwarf_Die* function);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_SCOPE_NAME_H_
