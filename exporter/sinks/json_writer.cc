#include "exporter/sinks/json_writer.h"

#include <charconv>
#include <cmath>

#include "exporter/sinks/utf8.h"

namespace autotrace::exporter {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

template <typename Number>
void AppendNumber(Number number, std::string* out) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof(digits), number);
  out->append(digits, result.ptr);
}

bool NeedsEscape(char character) {
  return static_cast<uint8_t>(character) < 0x20 || character == '"' || character == '\\';
}

}  // namespace

void JsonWriter::Begin(char bracket) {
  Separate();
  out_->push_back(bracket);
  needs_comma_ = false;
}

void JsonWriter::End(char bracket) {
  out_->push_back(bracket);
  needs_comma_ = true;
}

void JsonWriter::Separate() {
  if (needs_comma_) out_->push_back(',');
  needs_comma_ = true;
}

void JsonWriter::Key(std::string_view key) {
  String(key);
  out_->push_back(':');
  needs_comma_ = false;
}

void JsonWriter::String(std::string_view text) {
  Separate();
  out_->push_back('"');
  const size_t valid = ValidUtf8Prefix(text);
  if (valid == text.size()) {
    AppendEscaped(text);
  } else {
    std::string repaired;
    AppendValidUtf8(text, &repaired);
    AppendEscaped(repaired);
  }
  out_->push_back('"');
}

void JsonWriter::AppendEscaped(std::string_view text) {
  size_t written = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (!NeedsEscape(character)) continue;
    out_->append(text.substr(written, i - written));
    written = i + 1;
    out_->push_back('\\');
    switch (character) {
      case '"':
      case '\\':
        out_->push_back(character);
        break;
      case '\n':
        out_->push_back('n');
        break;
      case '\r':
        out_->push_back('r');
        break;
      case '\t':
        out_->push_back('t');
        break;
      default:
        out_->append("u00");
        out_->push_back(kHexDigits[character >> 4]);
        out_->push_back(kHexDigits[character & 0xf]);
    }
  }
  out_->append(text.substr(written));
}

void JsonWriter::Bool(bool value) { Raw(value ? "true" : "false"); }

void JsonWriter::Int(int64_t value) {
  Separate();
  AppendNumber(value, out_);
}

void JsonWriter::Uint(uint64_t value) {
  Separate();
  AppendNumber(value, out_);
}

void JsonWriter::IntString(int64_t value) {
  Separate();
  out_->push_back('"');
  AppendNumber(value, out_);
  out_->push_back('"');
}

void JsonWriter::UintString(uint64_t value) {
  Separate();
  out_->push_back('"');
  AppendNumber(value, out_);
  out_->push_back('"');
}

void JsonWriter::Double(double value) {
  if (std::isnan(value)) return String("NaN");
  if (std::isinf(value)) return String(value > 0 ? "Infinity" : "-Infinity");
  Separate();
  AppendNumber(value, out_);
}

void JsonWriter::Microseconds(int64_t nanoseconds) {
  Separate();
  // The magnitude as unsigned, because the smallest int64_t has no positive counterpart.
  uint64_t magnitude = static_cast<uint64_t>(nanoseconds);
  if (nanoseconds < 0) {
    out_->push_back('-');
    magnitude = ~magnitude + 1;
  }
  AppendNumber(magnitude / 1000, out_);
  const unsigned fraction = static_cast<unsigned>(magnitude % 1000);
  out_->push_back('.');
  out_->push_back(static_cast<char>('0' + fraction / 100));
  out_->push_back(static_cast<char>('0' + fraction / 10 % 10));
  out_->push_back(static_cast<char>('0' + fraction % 10));
}

void JsonWriter::Hex(const uint8_t* bytes, size_t size) {
  Separate();
  out_->push_back('"');
  for (size_t i = 0; i < size; ++i) {
    out_->push_back(kHexDigits[bytes[i] >> 4]);
    out_->push_back(kHexDigits[bytes[i] & 0xf]);
  }
  out_->push_back('"');
}

void JsonWriter::Raw(std::string_view json) {
  Separate();
  out_->append(json);
}

}  // namespace autotrace::exporter
