// YAML text to a tree of values that remember where they stand. A thin layer over libyaml's
// events, with limits so that no file can make it slow or large.
#ifndef AUTOTRACE_FILTERS_YAML_READER_H_
#define AUTOTRACE_FILTERS_YAML_READER_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

namespace autotrace::filters {

// Line and column from 1, in characters; line 0: nowhere.
struct Position {
  size_t line = 0;
  size_t column = 0;

  bool operator<(const Position& other) const {
    return line != other.line ? line < other.line : column < other.column;
  }
};

struct YamlEntry;

struct YamlValue {
  enum class Kind : uint8_t { kNothing, kText, kList, kMap };

  Kind kind = Kind::kNothing;  // kNothing: an empty value, "~" or "null"
  // Written in an environment variable, where booleans have more spellings and lists and maps stand
  // in one text.
  bool from_environment = false;
  Position position;
  std::string text;                // of kText
  std::vector<YamlValue> items;    // of kList
  std::vector<YamlEntry> entries;  // of kMap; keys are texts and differ
};

struct YamlEntry {
  YamlValue key;
  YamlValue value;
};

struct YamlError {
  Position position;
  std::string key;   // the map key it is about, if it is about one
  std::string text;  // "found X, expected Y", or what libyaml says
};

inline constexpr size_t kMaximumYamlSize = size_t{1} << 20;

// Reads one document; an empty text is a kNothing. False on an error. May throw std::bad_alloc.
bool ReadYaml(std::string_view text, YamlValue* value, YamlError* error);

// "a list", "a map", "text", "nothing", for messages.
std::string_view KindName(YamlValue::Kind kind);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_YAML_READER_H_
