#include "filters/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "filters/message_text.h"
#include "filters/name_components.h"

namespace autotrace::filters {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool PercentDecode(std::string_view text, std::string* decoded) {
  decoded->clear();
  for (size_t index = 0; index < text.size(); ++index) {
    if (text[index] != '%') {
      decoded->push_back(text[index]);
      continue;
    }
    if (index + 2 >= text.size()) return false;
    const int high = HexValue(text[index + 1]);
    const int low = HexValue(text[index + 2]);
    if (high < 0 || low < 0) return false;
    decoded->push_back(static_cast<char>(high * 16 + low));
    index += 2;
  }
  return true;
}

}  // namespace

Environment::Environment() {
  lookup_ = [](const char* name) -> const char* { return getenv(name); };
  names_ = [] {
    std::vector<std::string> names;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      const size_t equals = text.find('=');
      if (equals != text.npos && equals + 1 < text.size()) names.emplace_back(text, 0, equals);
    }
    return names;
  };
}

Environment::Environment(Variables variables) {
  const auto shared = std::make_shared<const Variables>(std::move(variables));
  lookup_ = [shared](const char* name) -> const char* {
    for (const auto& [key, value] : *shared) {
      if (key == name) return value.c_str();
    }
    return nullptr;
  };
  names_ = [shared] {
    std::vector<std::string> names;
    for (const auto& [key, value] : *shared) {
      if (!value.empty()) names.push_back(key);
    }
    return names;
  };
}

const char* Environment::Get(const char* name) const {
  const char* value = lookup_(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

std::vector<std::string> Environment::NamesWith(std::string_view prefix) const {
  std::vector<std::string> names = names_ ? names_() : std::vector<std::string>();
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(prefix); });
  std::sort(names.begin(), names.end());
  return names;
}

Strings SplitPatterns(std::string_view text) {
  Strings patterns;
  size_t begin = 0;
  const auto add = [&](size_t end) {
    const std::string_view pattern = Trimmed(text.substr(begin, end - begin));
    if (!pattern.empty()) patterns.emplace_back(pattern);
    begin = end + 1;
  };
  for (NameScanner scanner(text); !scanner.AtEnd(); scanner.Advance()) {
    if (scanner.at_top() && text[scanner.position()] == ',') add(scanner.position());
  }
  if (begin <= text.size()) add(text.size());
  return patterns;
}

bool ParseAttributeList(std::string_view text, bool secret, std::vector<KeyValue>* attributes,
                        std::string* error) {
  constexpr std::string_view kExpected = "key=value pairs with commas between them";
  const auto fail = [&](std::string_view member, std::string_view expected) {
    *error = "found " + (secret ? std::string("a secret value in another form") : Quoted(member)) +
             ", expected " + std::string(expected);
    return false;
  };
  attributes->clear();
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view member = Trimmed(text.substr(0, comma));
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
    if (member.empty()) continue;
    const size_t equals = member.find('=');
    const std::string_view raw_key = Trimmed(member.substr(0, equals));
    if (equals == member.npos || raw_key.empty()) return fail(member, kExpected);
    std::string key, value;
    if (!PercentDecode(raw_key, &key) ||
        !PercentDecode(Trimmed(member.substr(equals + 1)), &value)) {
      return fail(member,
                  "two hexadecimal digits after each %: write %25 for the character itself");
    }
    if (!IsUtf8(key) || !IsUtf8(value)) return fail(member, "UTF-8 text");
    const auto same = [&](const KeyValue& other) { return other.first == key; };
    std::erase_if(*attributes, same);  // the last one counts
    attributes->emplace_back(std::move(key), std::move(value));
  }
  if (attributes->empty()) return fail("", kExpected);
  return true;
}

}  // namespace autotrace::filters
