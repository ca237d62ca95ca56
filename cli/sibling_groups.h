// Groups siblings of one name, for the folded tree.
#ifndef AUTOTRACE_CLI_SIBLING_GROUPS_H_
#define AUTOTRACE_CLI_SIBLING_GROUPS_H_

#include <stdint.h>

#include <span>
#include <vector>

#include "cli/span_table.h"

namespace autotrace::cli {

struct SiblingGroup {
  // In the order they were given in, never empty.
  std::span<const SpanIndex> members;
  // The member with the longest duration, the first one of equals.
  SpanIndex slowest = kNoSpan;
};

class SiblingGroups {
 public:
  // `siblings` by start. Folding puts spans together that have the same name, are both manual or
  // both automatic, and carry the same pipeline id; without folding every span is a group.
  // Groups stand in the order of their first members.
  SiblingGroups(const SpanTable& table, std::span<const SpanIndex> siblings, bool fold);

  const std::vector<SiblingGroup>& groups() const { return groups_; }

 private:
  std::vector<SpanIndex> members_;  // what the groups' members point into
  std::vector<SiblingGroup> groups_;
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_SIBLING_GROUPS_H_
