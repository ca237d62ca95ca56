#include <algorithm>
#include <unordered_map>

#include <autotrace/autotrace.h>

#include "pipeline.h"

namespace pipeline_app {

// A span by hand, with a name and attributes that no compiler could give it. AUTOTRACE_NO_TRACE
// keeps the function itself out of the trace; else there would be two spans for one step.
AUTOTRACE_NO_TRACE void enrich_summary(const std::vector<LanguageEntry>& entries,
                                       Summary& summary) {
  autotrace::Span span("Manual Summary Enrichment", {{"summary.languages", summary.languages}});

  std::unordered_map<std::string_view, std::int64_t> words;
  std::int64_t living = 0;
  for (const LanguageEntry& entry : entries) {
    if (entry.type == "living") ++living;
    std::string_view rest = entry.search_key;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      ++words[rest.substr(0, end)];
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  // Of equally common words the first in the alphabet, so that the result does not depend on the
  // hash table's order.
  std::pair<std::string_view, std::int64_t> commonest;
  for (const auto& word : words) {
    const bool more = word.second > commonest.second;
    const bool as_many = word.second == commonest.second;
    if (more || (as_many && word.first < commonest.first)) commonest = word;
  }
  summary.commonest_word = {std::string(commonest.first), commonest.second};
  if (!entries.empty()) summary.living_share = static_cast<double>(living) / entries.size();

  span.SetAttribute("summary.living_share", summary.living_share);
}

}  // namespace pipeline_app
