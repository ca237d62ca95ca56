#include "symbolizer/special_member.h"

namespace autotrace::symbolizer {
namespace {

bool IsIdentifierCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

bool IsOperator(std::string_view name) {
  constexpr std::string_view kOperator = "operator";
  return name.starts_with(kOperator) &&
         (name.size() == kOperator.size() || !IsIdentifierCharacter(name[kOperator.size()]));
}

}  // namespace

bool IsCompilerMadeMember(const SpecialMemberTraits& traits) {
  if (!traits.generated) return false;
  if (traits.name == "operator=") return true;
  if (IsOperator(traits.name)) return false;
  // Constructors and destructors are what is left: with an object, and no operator.
  return traits.has_object_pointer;
}

}  // namespace autotrace::symbolizer
