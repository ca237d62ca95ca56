#include "symbolizer/type_name.h"

#include "symbolizer/demangler.h"
#include "symbolizer/function_name.h"

namespace autotrace::symbolizer {
namespace {

// Room for the longest text is made beforehand, so that appending does not allocate where a jump
// may follow.
void Append(void* text, const char* piece, size_t size) {
  static_cast<std::string*>(text)->append(piece, size);
}

}  // namespace

std::string TypeName(std::string_view mangled) {
  std::string name;
  name.reserve(MaxDemangledText(mangled));
  const DemangleResult result =
      Demangle(mangled, DemangledForm::kType, kQualifiedNameStack, Append, &name);
  if (result != DemangleResult::kDone) return std::string(mangled);
  name.shrink_to_fit();
  return name;
}

}  // namespace autotrace::symbolizer
