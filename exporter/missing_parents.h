// Spans of one process that others name as their parent and that have no record (yet).
//
// A parent ends after its children, so at any moment its record is missing for a good reason. At
// the end of the data it was dropped, or open when the process died, and something has to stand in
// for it: a child must not point at nothing. Of the whole process, because a fiber that changes
// threads has the records of a parent and its children in two of them.
#ifndef AUTOTRACE_EXPORTER_MISSING_PARENTS_H_
#define AUTOTRACE_EXPORTER_MISSING_PARENTS_H_

#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "exporter/span.h"

namespace autotrace::exporter {

class MissingParents {
 public:
  // What its children tell about one.
  struct Parent {
    uint64_t sequence = 0;
    TraceId trace;
    uint32_t thread_index = 0;   // of its first child
    uint64_t root_sequence = 0;  // of its trace, once the root's record was seen; else 0
    uint64_t start = 0;          // ticks: not later than this
    uint64_t end = 0;            // not earlier than this
    uint64_t call_site = 0;  // of its first child: lies in its function, or in one that inlined it
    uint64_t order = 0;      // of those that were open together, the outer one has the smaller
  };

  // The record of a span. parent 0: it has none in this process.
  void Saw(uint32_t thread_index, uint64_t sequence, uint64_t parent, const TraceId& trace,
           uint64_t start, uint64_t end, uint64_t call_site) {
    uint64_t order = ++seen_;
    if (!parents_.empty()) {
      if (const auto own = parents_.find(sequence); own != parents_.end()) {
        order = own->second.order;
        parents_.erase(own);
      }
    }
    if (parent == 0) return;
    if (const auto known = parents_.find(parent); known != parents_.end()) {
      known->second.start = std::min(known->second.start, start);
      known->second.end = std::max(known->second.end, end);
    } else if (parents_.size() < kMost) {
      parents_[parent] = {parent, trace, thread_index, 0, start, end, call_site, order};
    }
  }

  // The trace that its children were put into; null when this is nobody's missing parent.
  const TraceId* TraceOf(uint64_t sequence) const {
    const auto found = parents_.find(sequence);
    return found != parents_.end() ? &found->second.trace : nullptr;
  }

  // The root of this trace has its record. Quick when none is missing.
  void SawRoot(const TraceId& trace, uint64_t root_sequence) {
    for (auto& [sequence, parent] : parents_) {
      if (parent.trace == trace) parent.root_sequence = root_sequence;
    }
  }

  // Removes and returns those of one thread, outer ones first.
  std::vector<Parent> Take(uint32_t thread_index) {
    std::vector<Parent> taken;
    if (parents_.empty()) return taken;
    for (auto at = parents_.begin(); at != parents_.end();) {
      const auto here = at++;
      if (here->second.thread_index != thread_index) continue;
      taken.push_back(here->second);
      parents_.erase(here);
    }
    std::sort(taken.begin(), taken.end(),
              [](const Parent& left, const Parent& right) { return left.order < right.order; });
    return taken;
  }
  // Removes those for which is_found(parent) returns true; asked in no particular order.
  template <typename Predicate>
  void RemoveFound(Predicate is_found) {
    for (auto at = parents_.begin(); at != parents_.end();) {
      const auto here = at++;
      if (is_found(here->second)) parents_.erase(here);
    }
  }

 private:
  // More than spans with children can reasonably be open in a thread: in data where nearly all
  // records were dropped. Children of the rest stay without their parents.
  static constexpr size_t kMost = 1 << 18;

  absl::flat_hash_map<uint64_t, Parent> parents_;  // by sequence
  uint64_t seen_ = 0;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_MISSING_PARENTS_H_
