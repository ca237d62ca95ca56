#include "filters/message_text.h"

#include <stdint.h>

#include <algorithm>

namespace autotrace::filters {
namespace {

constexpr size_t kMaximumShown = 60;
// Longer words are no misspelt names, and the distance costs their product.
constexpr size_t kMaximumWord = 64;

// The length of the UTF-8 sequence that begins `text`; 0 when it is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t length = 0;
  uint32_t point = 0;
  if ((first & 0xe0) == 0xc0) {
    length = 2;
    point = first & 0x1f;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3;
    point = first & 0x0f;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4;
    point = first & 0x07;
  }
  if (length == 0 || text.size() < length) return 0;
  for (size_t index = 1; index < length; ++index) {
    if ((byte(index) & 0xc0) != 0x80) return 0;
    point = (point << 6) | (byte(index) & 0x3f);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < kSmallest[length] || surrogate || point > 0x10ffff ? 0 : length;
}

void AppendEscaped(std::string_view character, std::string* out) {
  const auto byte = static_cast<unsigned char>(character[0]);
  // C1 control characters (U+0080 to U+009F) steer terminals too.
  const bool c1 =
      character.size() == 2 && byte == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
  const bool invalid = character.size() == 1 && byte >= 0x80;
  if (byte >= 0x20 && byte != 0x7f && !c1 && !invalid) {
    out->append(character);
    return;
  }
  if (byte == '\n') {
    out->append("\\n");
  } else if (byte == '\t') {
    out->append("\\t");
  } else if (byte == '\r') {
    out->append("\\r");
  } else {
    constexpr char kHex[] = "0123456789abcdef";
    for (char c : character) {
      const auto value = static_cast<unsigned char>(c);
      out->append("\\x");
      out->push_back(kHex[value >> 4]);
      out->push_back(kHex[value & 15]);
    }
  }
}

// Insertions, deletions, replacements and swaps of neighbours.
size_t EditDistance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> before_previous(width), previous(width), current(width);
  for (size_t column = 0; column < width; ++column) previous[column] = column;
  for (size_t row = 1; row <= a.size(); ++row) {
    current[0] = row;
    for (size_t column = 1; column < width; ++column) {
      const size_t replaced = previous[column - 1] + (a[row - 1] != b[column - 1] ? 1 : 0);
      current[column] = std::min({previous[column] + 1, current[column - 1] + 1, replaced});
      if (row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1]) {
        current[column] = std::min(current[column], before_previous[column - 2] + 1);
      }
    }
    std::swap(before_previous, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

}  // namespace

std::string Quoted(std::string_view value) {
  std::string out = "\"";
  size_t shown = 0;
  while (!value.empty()) {
    if (shown++ == kMaximumShown) {
      out += "...";
      break;
    }
    const size_t length = std::max<size_t>(Utf8Length(value), 1);
    AppendEscaped(value.substr(0, length), &out);
    value.remove_prefix(length);
  }
  out += '"';
  return out;
}

std::string Escaped(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const size_t length = std::max<size_t>(Utf8Length(value), 1);
    AppendEscaped(value.substr(0, length), &out);
    value.remove_prefix(length);
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > kMaximumWord) return {};
  std::string_view nearest;
  // A short word may be two edits away but must keep something of itself.
  size_t limit = std::min(std::max<size_t>(2, word.size() / 3), word.size() - 1);
  for (std::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance > limit || (distance == limit && !nearest.empty())) continue;
    nearest = candidate;
    limit = distance;
  }
  return nearest;
}

std::string DidYouMean(std::string_view name) {
  if (name.empty()) return {};
  return " (did you mean '" + std::string(name) + "'?)";
}

}  // namespace autotrace::filters
