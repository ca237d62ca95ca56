#include "pipeline.h"
#include "utf8.h"

namespace {

bool IsCode(std::string_view code, std::size_t length) {
  if (code.size() != length) return false;
  for (const char letter : code) {
    if (letter < 'a' || letter > 'z') return false;
  }
  return true;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const text::CodePoint point = text::FirstCodePoint(text);
    if (point.size == 0) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

}  // namespace

namespace pipeline_app {

std::optional<std::string> validate_transformation(const LanguageEntry& entry) {
  if (!IsCode(entry.code, 3)) return "the code is not three letters from a to z";
  if (!entry.two_letter_code.empty() && !IsCode(entry.two_letter_code, 2)) {
    return "the short code is not two letters from a to z";
  }
  if (entry.name.empty()) return "there is no name";
  if (!IsUtf8(entry.name) || !IsUtf8(entry.sort_name)) return "the name is not valid UTF-8";
  if (entry.search_key.empty()) return "the name holds no letters to search for";
  if (entry.scope.empty()) return "the scope is unknown";
  if (entry.type.empty()) return "the type is unknown";
  if ((entry.scope == "special") != (entry.type == "special")) {
    return "scope and type contradict each other";
  }
  return std::nullopt;
}

}  // namespace pipeline_app
