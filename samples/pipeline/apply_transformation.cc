#include "pipeline.h"

namespace {

// The letters are ISO 639-3's.
const char* ScopeInWords(char scope) {
  switch (scope) {
    case 'I':
      return "individual";
    case 'M':
      return "macrolanguage";
    case 'S':
      return "special";
    default:
      return "";
  }
}

const char* TypeInWords(char type) {
  switch (type) {
    case 'A':
      return "ancient";
    case 'C':
      return "constructed";
    case 'E':
      return "extinct";
    case 'H':
      return "historical";
    case 'L':
      return "living";
    case 'S':
      return "special";
    default:
      return "";
  }
}

}  // namespace

namespace pipeline_app {

LanguageEntry apply_transformation(const LanguageRecord& record) {
  LanguageEntry entry;
  entry.code = record.code;
  entry.two_letter_code = record.two_letter_code;
  entry.name = record.name;
  entry.sort_name = record.inverted_name.empty() ? record.name : record.inverted_name;
  entry.search_key = build_search_key(record.name);
  entry.scope = ScopeInWords(record.scope);
  entry.type = TypeInWords(record.type);
  return entry;
}

}  // namespace pipeline_app
