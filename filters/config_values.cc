#include "filters/config_values.h"

#include <algorithm>
#include <utility>

#include "filters/environment.h"
#include "filters/message_text.h"
#include "filters/pattern.h"
#include "filters/quantities.h"

namespace autotrace::filters {
namespace {

using Kind = YamlValue::Kind;

// FunctionFilter keeps a class of threshold in one byte.
constexpr size_t kMaximumPatternDurations = 255;
// YAML allows a key 1,024 characters, escapes included.
constexpr size_t kMaximumAttributeKey = 255;

std::string Found(const YamlValue& value) {
  return value.kind == Kind::kText ? Quoted(value.text) : std::string(KindName(value.kind));
}

// Always false, so that callers can return it.
bool Fail(const YamlValue& value, std::string text, ValueError* error) {
  *error = {value.position, std::move(text)};
  return false;
}

bool Expect(const YamlValue& value, const std::string& expected, ValueError* error) {
  return Fail(value, "found " + Found(value) + ", expected " + expected, error);
}

bool IsText(const YamlValue& value) { return value.kind == Kind::kText; }

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool BoolFromText(const YamlValue& value, bool* result) {
  if (!IsText(value)) return false;
  const std::string word = Lower(value.text);
  const auto is_one_of = [&](const std::vector<std::string_view>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  const bool yes = word == "true" || (value.from_environment && is_one_of({"1", "yes", "on"}));
  const bool no = word == "false" || (value.from_environment && is_one_of({"0", "no", "off"}));
  if (yes || no) *result = yes;
  return yes || no;
}

bool CheckPattern(const YamlValue& where, std::string_view text, ValueError* error) {
  Pattern pattern;
  std::string problem;
  return Pattern::Parse(text, &pattern, &problem) || Fail(where, std::move(problem), error);
}

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kToken =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !name.empty() && name.find_first_not_of(kToken) == name.npos;
}

// Without control characters other than the tab.
bool IsOneLine(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

// A map of texts; from the environment, OpenTelemetry's list.
bool ReadKeyValues(const YamlValue& value, bool secret, std::vector<KeyValue>* result,
                   ValueError* error) {
  if (value.from_environment) {
    std::string problem;
    return ParseAttributeList(value.text, secret, result, &problem) ||
           Fail(value, std::move(problem), error);
  }
  if (value.kind != Kind::kMap) {
    const std::string found = secret ? std::string(KindName(value.kind)) : Found(value);
    return Fail(value, "found " + found + ", expected a map such as {key: value}", error);
  }
  for (const auto& [key, entry] : value.entries) {
    if (key.text.empty()) return Expect(key, "a name", error);
    if (!IsText(entry)) return Expect(entry, "text", error);
    result->emplace_back(key.text, entry.text);
  }
  return true;
}

// What other YAML readers take for a number, a boolean or nothing.
bool LooksLikeOtherType(std::string_view text) {
  if (text.find_first_not_of("0123456789._+-eExX") == text.npos) return true;
  const std::string word = Lower(std::string(text));
  for (std::string_view other : {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}) {
    if (word == other) return true;
  }
  return false;
}

}  // namespace

bool ReadBool(const YamlValue& value, bool* result, ValueError* error) {
  return BoolFromText(value, result) || Expect(value, "true or false", error);
}

bool ReadTristate(const YamlValue& value, Tristate* result, ValueError* error) {
  bool on = false;
  if (IsText(value) && value.text == "auto") {
    *result = Tristate::kAuto;
  } else if (BoolFromText(value, &on)) {
    *result = on ? Tristate::kOn : Tristate::kOff;
  } else {
    const std::string near =
        IsText(value) ? DidYouMean(Nearest(value.text, {"auto", "true", "false"})) : "";
    return Expect(value, "auto, true or false" + near, error);
  }
  return true;
}

bool ReadText(const YamlValue& value, std::string* result, ValueError* error) {
  if (!IsText(value)) return Expect(value, "text", error);
  *result = value.text;
  return true;
}

bool ReadFilePath(const YamlValue& value, std::string* result, ValueError* error) {
  if (!IsText(value)) return Expect(value, "the path of a file", error);
  if (!value.text.empty()) return ReadPath(value, result, error);
  result->clear();
  return true;
}

bool ReadPath(const YamlValue& value, std::string* result, ValueError* error) {
  if (!IsText(value) || value.text.empty()) return Expect(value, "the path of a folder", error);
  if (!IsOneLine(value.text)) {
    return Expect(value, "a path without control characters", error);
  }
  if (value.text == "~" || value.text.starts_with("~/")) {
    return Expect(value, "a path in full: ~ is not expanded here", error);
  }
  *result = value.text;
  return true;
}

bool ReadWholeNumber(const YamlValue& value, uint64_t minimum, uint64_t maximum, uint64_t* result,
                     ValueError* error) {
  uint64_t number = 0;
  if (!IsText(value) || !ParseWholeNumber(value.text, maximum, &number) || number < minimum) {
    return Expect(
        value, "a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum),
        error);
  }
  *result = number;
  return true;
}

bool ReadNumberOrAuto(const YamlValue& value, uint64_t maximum, bool* is_auto, uint64_t* result,
                      ValueError* error) {
  *is_auto = IsText(value) && value.text == "auto";
  if (*is_auto || (IsText(value) && ParseWholeNumber(value.text, maximum, result))) return true;
  return Expect(value, "auto or a whole number from 0 to " + std::to_string(maximum), error);
}

bool ReadDuration(const YamlValue& value, uint64_t* result, ValueError* error) {
  if (!IsText(value)) return Expect(value, "a duration such as 250ns, 10us, 1.5ms, 2s or 0", error);
  std::string problem;
  return ParseDuration(value.text, result, &problem) || Fail(value, std::move(problem), error);
}

bool ReadTimeout(const YamlValue& value, uint64_t* result, ValueError* error) {
  if (!value.from_environment) return ReadDuration(value, result, error);
  constexpr uint64_t kNanoseconds = 1'000'000;
  uint64_t milliseconds = 0;
  if (!ParseWholeNumber(value.text, UINT64_MAX / kNanoseconds, &milliseconds)) {
    return Expect(value, "a whole number of milliseconds: write for example 10000", error);
  }
  *result = milliseconds * kNanoseconds;
  return true;
}

bool ReadSize(const YamlValue& value, uint64_t minimum, uint64_t* result, ValueError* error) {
  if (!IsText(value)) return Expect(value, "a size such as 500MiB or 1GiB", error);
  std::string problem;
  uint64_t size = 0;
  if (!ParseSize(value.text, &size, &problem)) return Fail(value, std::move(problem), error);
  if (size < minimum) return Expect(value, "at least " + FormatSize(minimum), error);
  *result = size;
  return true;
}

bool ReadChoice(const YamlValue& value, const std::vector<std::string_view>& choices, size_t* index,
                ValueError* error) {
  if (IsText(value)) {
    const auto found = std::find(choices.begin(), choices.end(), value.text);
    if (found != choices.end()) {
      *index = static_cast<size_t>(found - choices.begin());
      return true;
    }
  }
  std::string expected;
  for (std::string_view choice : choices) {
    if (!expected.empty()) expected += choice == choices.back() ? " or " : ", ";
    expected += choice;
  }
  if (IsText(value)) expected += DidYouMean(Nearest(value.text, choices));
  return Expect(value, expected, error);
}

bool ReadPatterns(const YamlValue& value, Strings* result, ValueError* error) {
  Strings patterns;
  const auto add = [&](const YamlValue& text) {
    const Strings found = SplitPatterns(text.text);
    // An empty text is a bad pattern, and the parser says it best.
    if (found.empty()) return CheckPattern(text, "", error);
    for (const std::string& pattern : found) {
      if (!CheckPattern(text, pattern, error)) return false;
      patterns.push_back(pattern);
    }
    return true;
  };
  if (IsText(value)) {
    if (!add(value)) return false;
  } else if (value.kind == Kind::kList) {
    for (const YamlValue& item : value.items) {
      if (item.kind == Kind::kMap && item.entries.size() == 1 && IsText(item.entries[0].value)) {
        // "- ns: app" is a map.
        return Expect(item,
                      "a pattern: write " + Escaped(item.entries[0].key.text) + ":" +
                          Escaped(item.entries[0].value.text) + " without the space",
                      error);
      }
      if (!IsText(item)) return Expect(item, "a pattern", error);
      if (!add(item)) return false;
    }
  } else {
    return Expect(value, "a list of patterns", error);
  }
  *result = std::move(patterns);
  return true;
}

bool ReadPatternDurations(const YamlValue& value, std::vector<PatternDuration>* result,
                          ValueError* error) {
  if (value.kind != Kind::kMap) {
    return Expect(value, "a map such as {app::parse: 1ms}", error);
  }
  if (value.entries.size() > kMaximumPatternDurations) {
    return Fail(value,
                "found " + std::to_string(value.entries.size()) + " patterns, expected at most " +
                    std::to_string(kMaximumPatternDurations),
                error);
  }
  std::vector<PatternDuration> entries;
  for (const auto& [key, entry] : value.entries) {
    if (!CheckPattern(key, key.text, error)) return false;
    uint64_t duration = 0;
    if (!ReadDuration(entry, &duration, error)) return false;
    entries.emplace_back(key.text, duration);
  }
  *result = std::move(entries);
  return true;
}

bool ReadPatternValues(const YamlValue& value, std::vector<PatternValue>* result,
                       ValueError* error) {
  if (value.kind != Kind::kMap) {
    return Expect(value, "a map such as {app::import: nightly-import}", error);
  }
  std::vector<PatternValue> entries;
  for (const auto& [key, entry] : value.entries) {
    if (!CheckPattern(key, key.text, error)) return false;
    std::string text;
    if (!ReadText(entry, &text, error)) return false;
    entries.emplace_back(key.text, std::move(text));
  }
  *result = std::move(entries);
  return true;
}

bool ReadAttributes(const YamlValue& value, std::vector<KeyValue>* result, ValueError* error) {
  std::vector<KeyValue> attributes;
  if (!ReadKeyValues(value, /*secret=*/false, &attributes, error)) return false;
  for (KeyValue& attribute : attributes) {
    if (attribute.first.size() > kMaximumAttributeKey) {
      return Fail(value,
                  "found the name " + Quoted(attribute.first) + ", expected at most " +
                      std::to_string(kMaximumAttributeKey) + " characters",
                  error);
    }
    const auto found = std::find_if(result->begin(), result->end(), [&](const KeyValue& other) {
      return other.first == attribute.first;
    });
    if (found == result->end()) {
      result->push_back(std::move(attribute));
    } else {
      found->second = std::move(attribute.second);
    }
  }
  return true;
}

bool ReadHeaders(const YamlValue& value, std::vector<KeyValue>* result, ValueError* error) {
  std::vector<KeyValue> headers;
  if (!ReadKeyValues(value, /*secret=*/true, &headers, error)) return false;
  for (const KeyValue& header : headers) {
    if (!IsHeaderName(header.first)) {
      return Fail(value,
                  "found a header name with characters that HTTP does not allow, expected "
                  "a name such as api-key",
                  error);
    }
    if (!IsOneLine(header.second)) {
      return Fail(value,
                  "found a control character in the value of " + header.first +
                      ", expected one line of text",
                  error);
    }
  }
  *result = std::move(headers);
  return true;
}

namespace {

// A character beyond ASCII at the beginning that YAML 1.1 does not allow as it is (section 5.1) or
// takes for the end of a line (5.4), and how many bytes it has. 0: any other.
uint32_t SpecialCharacter(std::string_view text, size_t* size) {
  const auto byte = [&](size_t index) { return static_cast<unsigned char>(text[index]); };
  if (text.size() >= 2 && byte(0) == 0xc2 && byte(1) < 0xa0) {
    *size = 2;
    return byte(1);
  }
  for (const auto& [character, point] : {std::pair("\xe2\x80\xa8", 0x2028),
                                         {"\xe2\x80\xa9", 0x2029},
                                         {"\xef\xbb\xbf", 0xfeff},
                                         {"\xef\xbf\xbe", 0xfffe},
                                         {"\xef\xbf\xbf", 0xffff}}) {
    if (!text.starts_with(character)) continue;
    *size = 3;
    return static_cast<uint32_t>(point);
  }
  return 0;
}

// As "\u2028".
void AppendEscape(uint32_t point, std::string* text) {
  *text += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) *text += "0123456789abcdef"[(point >> shift) & 15];
}

}  // namespace

std::string WriteText(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      "0123456789_./+-";
  // What YAML reads as text whatever stands around it. "::" is left alone for legibility.
  bool plain = !text.empty() && text[0] != '-' && text[0] != '.' && text.back() != ':' &&
               !LooksLikeOtherType(text);
  for (size_t index = 0; plain && index < text.size(); ++index) {
    if (text.substr(index, 2) == "::" && index > 0) {
      ++index;
    } else {
      plain = kPlain.find(text[index]) != kPlain.npos;
    }
  }
  if (plain) return std::string(text);

  std::string quoted = "\"";
  for (size_t index = 0; index < text.size(); ++index) {
    const char c = text[index];
    const auto byte = static_cast<unsigned char>(c);
    size_t size = 1;
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      AppendEscape(byte, &quoted);
    } else if (const uint32_t special = SpecialCharacter(text.substr(index), &size); special != 0) {
      AppendEscape(special, &quoted);
    } else {
      quoted += c;
    }
    index += size - 1;
  }
  return quoted + '"';
}

std::string WriteBool(bool value) { return value ? "true" : "false"; }

std::string WriteTristate(Tristate value) {
  return value == Tristate::kAuto ? "auto" : WriteBool(value == Tristate::kOn);
}

std::string WritePatterns(const Strings& patterns) {
  std::string text = "[";
  for (const std::string& pattern : patterns) {
    if (text.size() > 1) text += ", ";
    text += WriteText(pattern);
  }
  return text + "]";
}

std::string WritePatternDurations(const std::vector<PatternDuration>& entries) {
  std::string text = "{";
  for (const auto& [pattern, duration] : entries) {
    if (text.size() > 1) text += ", ";
    text += WriteText(pattern) + ": " + FormatDuration(duration);
  }
  return text + "}";
}

std::string WriteMap(const std::vector<KeyValue>& entries) {
  std::string text = "{";
  for (const auto& [key, value] : entries) {
    if (text.size() > 1) text += ", ";
    text += WriteText(key) + ": " + WriteText(value);
  }
  return text + "}";
}

}  // namespace autotrace::filters
