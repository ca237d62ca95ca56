// Which trace the spans of one thread belong to, and who their parents are: from kTraceBegin
// records and sequences to W3C ids.
#ifndef AUTOTRACE_EXPORTER_THREAD_TRACES_H_
#define AUTOTRACE_EXPORTER_THREAD_TRACES_H_

#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "exporter/span.h"
#include "runtime/ids.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {

inline SpanId MakeSpanId(uint64_t word) {
  SpanId id;
  memcpy(id.bytes.data(), &word, sizeof(word));
  return id;
}
inline TraceId MakeTraceId(const uint64_t words[2]) {
  TraceId id;
  memcpy(id.bytes.data(), words, sizeof(id.bytes));
  return id;
}
// The trace that the span with this sequence is the root of.
inline TraceId TraceOfRoot(const IdSecret& secret, uint64_t root_sequence) {
  uint64_t words[2];
  TraceIdOf(secret, root_sequence, words);
  return MakeTraceId(words);
}

struct Trace {
  TraceId id;
  uint64_t root_sequence = 0;
  SpanId parent;  // of the root; not valid(): none
  bool parent_is_remote = false;
  // What else is known of the root before its own record comes.
  uint64_t function = 0;  // 0: a manual span
  uint64_t start = 0;     // ticks
  uint64_t call_site = 0;
};

class ThreadTraces {
 public:
  // A kTraceBegin record: spans that follow belong to this trace.
  void Begin(const format::TraceBegin& begin, const IdSecret& secret);

  // The current trace; null before the first one and after its root has ended, when spans that come
  // without a kTraceBegin have lost theirs.
  const Trace* current() const { return has_current_ ? &current_ : nullptr; }

  // The trace whose root the span of this sequence and parent is; null when it is no root. Quick
  // for spans that have a parent.
  const Trace* RootFor(uint64_t sequence, uint64_t parent) const {
    const bool candidate = parent == 0 || (has_current_ && current_.root_sequence == sequence);
    return candidate ? OpenRoot(sequence) : nullptr;
  }
  // The trace whose root has this sequence and has not ended; null when there is none.
  const Trace* OpenRoot(uint64_t sequence) const;

  // The same by the trace's id.
  const Trace* OpenRootOf(const TraceId& id) const;
  // All of them, outermost first.
  std::vector<Trace> OpenRoots() const;

  // The record of a root was seen. Ends what RootFor and OpenRoot returned.
  void EndRoot(uint64_t sequence);

  // All of them are over, or will be begun again.
  void Clear() {
    open_.clear();
    has_current_ = false;
  }
  // No trace is current until the next one begins.
  void Interrupt() { has_current_ = false; }

 private:
  // Roots nest (a cut one stands inside of another), so more than this many are leavings of roots
  // whose records were lost.
  static constexpr size_t kMostOpenRoots = 4096;

  Trace current_;
  bool has_current_ = false;
  // Traces that another one interrupted are taken up again.
  absl::flat_hash_map<uint64_t, Trace> open_;  // by root_sequence
};

inline void ThreadTraces::Begin(const format::TraceBegin& begin, const IdSecret& secret) {
  const uint16_t flags = format::FlagsOf(begin.head);
  current_ = Trace();
  current_.root_sequence = begin.root_sequence & format::kMask48;
  current_.function = format::AddressOf(begin.head);
  current_.start = begin.start;
  current_.call_site = begin.call_site;
  current_.id = (begin.trace_id[0] | begin.trace_id[1]) != 0
                    ? MakeTraceId(begin.trace_id)
                    : TraceOfRoot(secret, current_.root_sequence);
  if (flags & format::kTraceRemoteParent) {
    current_.parent = MakeSpanId(begin.parent_span_id);
    current_.parent_is_remote = current_.parent.valid();
  } else if ((flags & format::kTraceLocalParent) && begin.parent_sequence != 0) {
    current_.parent = MakeSpanId(SpanIdOf(secret, begin.parent_sequence & format::kMask48));
  }
  has_current_ = true;
  if (open_.size() >= kMostOpenRoots) open_.clear();
  open_[current_.root_sequence] = current_;
}

inline const Trace* ThreadTraces::OpenRoot(uint64_t sequence) const {
  const auto found = open_.find(sequence);
  return found != open_.end() ? &found->second : nullptr;
}

inline const Trace* ThreadTraces::OpenRootOf(const TraceId& id) const {
  for (const auto& [sequence, trace] : open_) {
    if (trace.id == id) return &trace;
  }
  return nullptr;
}

inline std::vector<Trace> ThreadTraces::OpenRoots() const {
  std::vector<Trace> roots;
  for (const auto& [sequence, trace] : open_) roots.push_back(trace);
  std::sort(roots.begin(), roots.end(), [](const Trace& a, const Trace& b) {
    return std::tie(a.start, a.root_sequence) < std::tie(b.start, b.root_sequence);
  });
  return roots;
}

inline void ThreadTraces::EndRoot(uint64_t sequence) {
  if (has_current_ && current_.root_sequence == sequence) has_current_ = false;
  open_.erase(sequence);
}

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_THREAD_TRACES_H_
