// Words for messages: values quoted so that they cannot break a line or a terminal, and the known
// word nearest to one that is not known.
#ifndef AUTOTRACE_FILTERS_MESSAGE_TEXT_H_
#define AUTOTRACE_FILTERS_MESSAGE_TEXT_H_

#include <stddef.h>

#include <string>
#include <string_view>
#include <vector>

namespace autotrace::filters {

// Between double quotes, control characters and invalid UTF-8 escaped, cut after about 60
// characters.
std::string Quoted(std::string_view value);
// The same without quotes and uncut, for paths and names in messages.
std::string Escaped(std::string_view value);

bool IsUtf8(std::string_view text);

// The candidate that is at most a third of `word` (and at least two edits) away, the nearest one;
// empty when there is none.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// " (did you mean 'min_duration'?)", or nothing when `name` is empty.
std::string DidYouMean(std::string_view name);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_MESSAGE_TEXT_H_
