// The overload for readers, in a file of its own: the other one must not need std::string.
#include "symbolizer/function_name.h"

namespace autotrace::symbolizer {

std::string QualifiedName(std::string_view linker_name) {
  // Cutting between characters can shorten a cut name by up to three bytes.
  constexpr size_t kCutMargin = 4;
  std::string name(linker_name.size() + 64, '\0');
  while (true) {
    const size_t size = QualifiedName(linker_name, name.data(), name.size());
    if (size + kCutMargin < name.size()) {
      name.resize(size);
      return name;
    }
    name.resize(name.size() * 4);
  }
}

}  // namespace autotrace::symbolizer
