// Wildcards within one component of a name or path. Async-signal-safe, allocates nothing.
#ifndef AUTOTRACE_FILTERS_GLOB_H_
#define AUTOTRACE_FILTERS_GLOB_H_

#include <stdint.h>

#include <string_view>

namespace autotrace::filters {

enum class Spaces : uint8_t {
  kCompared,
  kIgnored,  // in `text`; demanglers disagree about "> >"
};

// Does the whole of `text` match `glob`, where '*' is any characters and '?' is one? Takes at most
// glob.size() * text.size() steps.
bool GlobMatches(std::string_view glob, std::string_view text, Spaces spaces) noexcept;

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_GLOB_H_
