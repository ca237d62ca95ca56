#include "runtime/trace_parent.h"

#include <stdint.h>
#include <string.h>

namespace autotrace {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

// Lower-case digits only, as the specification asks for. -1: none.
int DigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// `size` bytes from twice as many digits.
bool ParseHex(const char* text, size_t size, unsigned char* bytes) {
  for (size_t i = 0; i < size; ++i) {
    const int high = DigitValue(text[2 * i]);
    const int low = DigitValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return true;
}

char* FormatHex(const void* bytes, size_t size, char* text) {
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<const unsigned char*>(bytes)[i];
    *text++ = kDigits[byte >> 4];
    *text++ = kDigits[byte & 0xf];
  }
  return text;
}

char* Append(std::string_view piece, char* text) {
  for (const char character : piece) *text++ = character;
  return text;
}

}  // namespace

bool ParseTraceParent(std::string_view text, OuterParent* parent) {
  if (text.size() < kTraceParentSize) return false;
  unsigned char version = 0;
  unsigned char flags = 0;
  unsigned char trace_id[16];
  unsigned char span_id[8];
  if (!ParseHex(text.data(), 1, &version) || version == 0xff || text[2] != '-' ||
      !ParseHex(text.data() + 3, 16, trace_id) || text[35] != '-' ||
      !ParseHex(text.data() + 36, 8, span_id) || text[52] != '-' ||
      !ParseHex(text.data() + 53, 1, &flags)) {
    return false;
  }
  // Later versions may append fields; version 00 has none.
  if (text.size() > kTraceParentSize && (version == 0 || text[kTraceParentSize] != '-')) {
    return false;
  }
  OuterParent parsed;
  memcpy(parsed.trace_id, trace_id, sizeof(parsed.trace_id));
  memcpy(&parsed.span_id, span_id, sizeof(parsed.span_id));
  if ((parsed.trace_id[0] | parsed.trace_id[1]) == 0 || parsed.span_id == 0) return false;
  *parent = parsed;
  return true;
}

void FormatTraceParent(const OuterParent& identity, const IdSecret& secret, char* text) {
  const uint64_t span_id =
      identity.sequence != 0 ? SpanIdOf(secret, identity.sequence) : identity.span_id;
  text = Append("00-", text);
  text = FormatHex(identity.trace_id, sizeof(identity.trace_id), text);
  *text++ = '-';
  text = FormatHex(&span_id, sizeof(span_id), text);
  Append("-01", text);
}

}  // namespace autotrace
