// All spans of a run in memory, small (about 60 bytes each), linked into trees. The tree and the
// report are computed from it.
//
// A SpanSink: the reader fills it span by span, in any order, and Finish() links parents with
// children. A span whose parent is not in the table (remote, lost, or of a process that was not
// read) is a root here.
#ifndef AUTOTRACE_CLI_SPAN_TABLE_H_
#define AUTOTRACE_CLI_SPAN_TABLE_H_

#include <stdint.h>

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "exporter/span.h"

namespace autotrace::cli {

// Index of a span in the table.
using SpanIndex = uint32_t;
inline constexpr SpanIndex kNoSpan = ~SpanIndex{0};

class SpanTable : public exporter::SpanSink {
 public:
  enum Flag : uint8_t {
    kManual = 1 << 0,
    kUnfinished = 1 << 1,
    kError = 1 << 2,
    kRemoteParent = 1 << 3,
    kLostParent = 1 << 4,  // has a parent in this run that is not in the table
  };

  struct Entry {
    uint64_t start_unix_nanos;
    uint64_t duration_nanos;
    SpanIndex parent;  // kNoSpan for a root
    uint32_t name;     // see NameOf; equal numbers are equal names
    uint32_t trace;
    uint32_t thread;
    uint32_t caller;
    uint32_t pipeline;
    uint8_t flags;

    bool has(Flag flag) const { return (flags & flag) != 0; }
  };

  // Keeps only spans of traces whose id (as 32 hex digits) begins with `trace_prefix`.
  explicit SpanTable(std::string trace_prefix = "");

  absl::Status Consume(const exporter::Span& span) override;
  absl::Status Finish() override;

  // ---- after Finish()
  size_t size() const { return entries_.size(); }
  const Entry& operator[](SpanIndex index) const { return entries_[index]; }
  // By start time.
  std::span<const SpanIndex> Roots() const { return ChildrenOfSlot(entries_.size()); }
  std::span<const SpanIndex> Children(SpanIndex index) const { return ChildrenOfSlot(index); }

  std::string_view NameOf(const Entry& entry) const { return texts_[entry.name]; }
  // Both empty when unknown.
  std::string_view CallerOf(const Entry& entry) const { return texts_[entry.caller]; }
  std::string_view PipelineOf(const Entry& entry) const { return texts_[entry.pipeline]; }
  // As 32 hex digits.
  std::string TraceIdOf(const Entry& entry) const { return Hex(traces_[entry.trace]); }
  // "worker" or "thread 4711".
  std::string ThreadOf(const Entry& entry) const;
  uint64_t PidOf(const Entry& entry) const { return threads_[entry.thread].pid; }
  // What an error was: "std::runtime_error: no such table". Empty for most spans.
  std::string_view ErrorOf(SpanIndex index) const;
  // Empty for most spans.
  const std::vector<exporter::Attribute>& AttributesOf(SpanIndex index) const;

  size_t name_count() const { return texts_.size(); }
  size_t trace_count() const { return traces_.size(); }
  size_t process_count() const { return process_keys_.size(); }

 private:
  struct ThreadInfo {
    uint64_t tid;
    uint64_t pid;
    std::string name;
  };

  uint32_t InternText(std::string_view text);
  uint32_t InternTrace(const exporter::TraceId& id);
  uint32_t InternThread(const exporter::Span& span);
  void ResolveParents();
  void BreakCycles();
  void LinkChildren();
  std::span<const SpanIndex> ChildrenOfSlot(size_t slot) const;

  std::string trace_prefix_;
  std::vector<Entry> entries_;
  // The spans' own and their parents' ids, until Finish() has replaced them by indices.
  std::vector<uint64_t> ids_;
  std::vector<uint64_t> parent_ids_;
  // children_[first_child_[i], first_child_[i + 1]) are the children of span i; slot size() holds
  // the roots.
  std::vector<SpanIndex> children_;
  std::vector<uint32_t> first_child_;

  std::deque<std::string> texts_;  // a deque, because text_numbers_ points into it
  absl::flat_hash_map<std::string_view, uint32_t> text_numbers_;
  std::vector<exporter::TraceId> traces_;
  absl::flat_hash_map<exporter::TraceId, uint32_t> trace_numbers_;
  std::vector<ThreadInfo> threads_;
  absl::flat_hash_map<const exporter::Thread*, uint32_t> thread_numbers_;
  absl::flat_hash_map<uint64_t, uint32_t> process_keys_;
  absl::flat_hash_map<SpanIndex, std::vector<exporter::Attribute>> attributes_;
  absl::flat_hash_map<SpanIndex, uint32_t> errors_;  // texts
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_SPAN_TABLE_H_
