// Reading UTF-8 one code point at a time, for build_search_key and validate_transformation.
#ifndef AUTOTRACE_SAMPLES_PIPELINE_UTF8_H_
#define AUTOTRACE_SAMPLES_PIPELINE_UTF8_H_

#include <cstddef>
#include <string_view>

namespace text {

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;  // bytes; 0 when the text does not begin with a whole, valid code point
};

// The first code point of `text`. Overlong forms, surrogates and values past U+10FFFF are invalid.
CodePoint FirstCodePoint(std::string_view text);

}  // namespace text

#endif  // AUTOTRACE_SAMPLES_PIPELINE_UTF8_H_
