#include "exporter/sinks/utf8.h"

#include <stdint.h>

namespace autotrace::exporter {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool InRange(std::string_view text, size_t index, uint8_t low, uint8_t high) {
  if (index >= text.size()) return false;
  const auto byte = static_cast<uint8_t>(text[index]);
  return low <= byte && byte <= high;
}

// Size of the sequence that starts at `text[0]`, 0 when there is no valid one. The table is
// RFC 3629, section 4: only the second byte's range depends on the first one.
size_t SequenceSize(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return InRange(text, 1, 0x80, 0xbf) ? 2 : 0;
  if (first < 0xf0) {
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : 0xbf;
    return InRange(text, 1, low, high) && InRange(text, 2, 0x80, 0xbf) ? 3 : 0;
  }
  const uint8_t low = first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xf4 ? 0x8f : 0xbf;
  return InRange(text, 1, low, high) && InRange(text, 2, 0x80, 0xbf) && InRange(text, 3, 0x80, 0xbf)
             ? 4
             : 0;
}

}  // namespace

size_t ValidUtf8Prefix(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    const size_t size = SequenceSize(text.substr(position));
    if (size == 0) break;
    position += size;
  }
  return position;
}

void AppendValidUtf8(std::string_view text, std::string* out) {
  for (;;) {
    const size_t valid = ValidUtf8Prefix(text);
    out->append(text.substr(0, valid));
    if (valid == text.size()) return;
    out->append(kReplacement);
    text.remove_prefix(valid + 1);
  }
}

}  // namespace autotrace::exporter
