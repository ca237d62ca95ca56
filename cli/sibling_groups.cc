#include "cli/sibling_groups.h"

#include <tuple>

#include "absl/container/flat_hash_map.h"

namespace autotrace::cli {

SiblingGroups::SiblingGroups(const SpanTable& table, std::span<const SpanIndex> siblings,
                             bool fold) {
  members_.assign(siblings.begin(), siblings.end());
  if (!fold || siblings.size() == 1) {
    groups_.reserve(members_.size());
    for (const SpanIndex& member : members_) groups_.push_back({{&member, 1}, member});
    return;
  }
  using Key = std::tuple<uint32_t, bool, uint32_t>;
  absl::flat_hash_map<Key, uint32_t> group_of_key;
  std::vector<uint32_t> group_of(siblings.size());
  std::vector<uint32_t> sizes;
  for (size_t i = 0; i < siblings.size(); ++i) {
    const SpanTable::Entry& entry = table[siblings[i]];
    const Key key{entry.name, entry.has(SpanTable::kManual), entry.pipeline};
    const auto [found, is_new] = group_of_key.try_emplace(key, sizes.size());
    if (is_new) sizes.push_back(0);
    group_of[i] = found->second;
    ++sizes[found->second];
  }
  // A counting sort by group keeps the order within each.
  std::vector<uint32_t> next(sizes.size());
  for (size_t group = 1; group < sizes.size(); ++group) {
    next[group] = next[group - 1] + sizes[group - 1];
  }
  for (size_t group = 0; group < sizes.size(); ++group) {
    groups_.push_back({{members_.data() + next[group], sizes[group]}, kNoSpan});
  }
  for (size_t i = 0; i < siblings.size(); ++i) {
    const SpanIndex span = siblings[i];
    members_[next[group_of[i]]++] = span;
    SpanIndex& slowest = groups_[group_of[i]].slowest;
    if (slowest == kNoSpan || table[span].duration_nanos > table[slowest].duration_nanos) {
      slowest = span;
    }
  }
}

}  // namespace autotrace::cli
