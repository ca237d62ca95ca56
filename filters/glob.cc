#include "filters/glob.h"

#include <stddef.h>

namespace autotrace::filters {

bool GlobMatches(std::string_view glob, std::string_view text, Spaces spaces) noexcept {
  constexpr size_t kNone = std::string_view::npos;
  size_t glob_at = 0;
  size_t text_at = 0;
  // Where to go on when a character does not match: the last '*' takes one character more. Earlier
  // ones need not be tried again, they already took as little as possible.
  size_t retry_glob = kNone;
  size_t retry_text = 0;
  while (text_at < text.size()) {
    if (spaces == Spaces::kIgnored && text[text_at] == ' ') {
      ++text_at;
    } else if (glob_at < glob.size() && glob[glob_at] == '*') {
      retry_glob = ++glob_at;
      retry_text = text_at;
    } else if (glob_at < glob.size() && (glob[glob_at] == '?' || glob[glob_at] == text[text_at])) {
      ++glob_at;
      ++text_at;
    } else if (retry_glob != kNone) {
      glob_at = retry_glob;
      text_at = ++retry_text;
    } else {
      return false;
    }
  }
  while (glob_at < glob.size() && glob[glob_at] == '*') ++glob_at;
  return glob_at == glob.size();
}

}  // namespace autotrace::filters
