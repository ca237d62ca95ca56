#include "pipeline.h"
#include "utf8.h"

namespace {

// The plain letter for each of U+00C0 to U+017F (Latin-1 Supplement, Latin Extended-A): the first
// letter of its canonical decomposition, or what it is usually written as; ' ' for no letter.
constexpr char32_t kFirstFolded = 0xc0;
constexpr std::string_view kFolded =
    "aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
    "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static_assert(kFolded.size() == 0x180 - kFirstFolded);

bool IsCombiningMark(char32_t value) { return value >= 0x300 && value <= 0x36f; }
bool IsAsciiPunctuation(char32_t value) {
  return value < 0x80 && !((value >= '0' && value <= '9') || (value >= 'a' && value <= 'z') ||
                           (value >= 'A' && value <= 'Z'));
}

// ' ' for what separates words, 0 for a code point that is kept as it is.
char Fold(char32_t value) {
  if (value >= 'A' && value <= 'Z') return static_cast<char>(value - 'A' + 'a');
  if (IsAsciiPunctuation(value)) return ' ';
  if (value < 0x80) return static_cast<char>(value);
  if (value >= kFirstFolded && value < kFirstFolded + kFolded.size()) {
    return kFolded[value - kFirstFolded];
  }
  switch (value) {
    case U'ɓ':
      return 'b';
    case U'ə':
    case U'ɛ':
      return 'e';
    case U'ḥ':
      return 'h';
    case U'ɨ':
      return 'i';
    case U'ṣ':
      return 's';
    case U'ṭ':
      return 't';
    default:
      return 0;
  }
}

}  // namespace

namespace pipeline_app {

std::string build_search_key(std::string_view name) {
  std::string key;
  key.reserve(name.size());
  while (!name.empty()) {
    const text::CodePoint point = text::FirstCodePoint(name);
    if (point.size == 0) return {};  // validate_transformation reports the name
    const std::string_view bytes = name.substr(0, point.size);
    name.remove_prefix(point.size);
    // "N'Ko" is one word, and so is a letter with a combining mark.
    if (IsCombiningMark(point.value) || point.value == '\'') continue;
    const char folded = Fold(point.value);
    if (folded == ' ') {
      if (!key.empty() && key.back() != ' ') key += ' ';
    } else if (folded != 0) {
      key += folded;
    } else {
      key += bytes;
    }
  }
  if (!key.empty() && key.back() == ' ') key.pop_back();
  return key;
}

}  // namespace pipeline_app
