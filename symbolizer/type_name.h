// From a type's mangled name, as std::type_info has it, to its own: "St13runtime_error" to
// "std::runtime_error". Reader only: it allocates.
#ifndef AUTOTRACE_SYMBOLIZER_TYPE_NAME_H_
#define AUTOTRACE_SYMBOLIZER_TYPE_NAME_H_

#include <string>
#include <string_view>

namespace autotrace::symbolizer {

// What is no mangled name, or one that demangler.h finds too large, is returned as it is.
std::string TypeName(std::string_view mangled);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_TYPE_NAME_H_
