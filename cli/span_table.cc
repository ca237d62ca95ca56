#include "cli/span_table.h"

#include <ctype.h>
#include <string.h>

#include <algorithm>
#include <utility>

namespace autotrace::cli {
namespace {

uint64_t ToNumber(const exporter::SpanId& id) {
  uint64_t number;
  static_assert(sizeof(number) == sizeof(id.bytes));
  memcpy(&number, id.bytes.data(), sizeof(number));
  return number;
}

}  // namespace

SpanTable::SpanTable(std::string trace_prefix) : trace_prefix_(std::move(trace_prefix)) {
  for (char& digit : trace_prefix_) digit = static_cast<char>(tolower(digit));
  InternText("");  // number 0: an unknown caller, no pipeline
}

absl::Status SpanTable::Consume(const exporter::Span& span) {
  if (!trace_prefix_.empty() && !Hex(span.trace_id).starts_with(trace_prefix_)) {
    return absl::OkStatus();
  }
  if (entries_.size() + 1 >= kNoSpan) {
    return absl::ResourceExhaustedError(
        "more than 4 billion spans; choose one trace with --trace, or record fewer with "
        "AUTOTRACE_MIN_DURATION");
  }
  const SpanIndex index = static_cast<SpanIndex>(entries_.size());
  Entry entry{};
  entry.start_unix_nanos = span.start_unix_nanos;
  // A clock that was corrected backwards must not turn into 500 years.
  entry.duration_nanos = span.end_unix_nanos > span.start_unix_nanos ? span.duration_nanos() : 0;
  entry.parent = kNoSpan;
  entry.name = InternText(span.name);
  entry.trace = InternTrace(span.trace_id);
  entry.thread = InternThread(span);
  entry.caller = span.caller != nullptr ? InternText(span.caller->description) : 0;
  entry.pipeline = InternText(span.pipeline_id);
  entry.flags =
      static_cast<uint8_t>((span.manual ? kManual : 0) | (span.unfinished ? kUnfinished : 0) |
                           (span.error ? kError : 0) | (span.parent_is_remote ? kRemoteParent : 0));
  entries_.push_back(entry);
  ids_.push_back(ToNumber(span.span_id));
  parent_ids_.push_back(ToNumber(span.parent_span_id));
  if (!span.attributes.empty()) attributes_.emplace(index, span.attributes);
  if (!span.error_description.empty()) errors_.emplace(index, InternText(span.error_description));
  return absl::OkStatus();
}

absl::Status SpanTable::Finish() {
  ResolveParents();
  BreakCycles();
  LinkChildren();
  return absl::OkStatus();
}

void SpanTable::ResolveParents() {
  absl::flat_hash_map<uint64_t, SpanIndex> index_of;
  index_of.reserve(entries_.size());
  for (SpanIndex i = 0; i < entries_.size(); ++i) index_of.emplace(ids_[i], i);
  for (SpanIndex i = 0; i < entries_.size(); ++i) {
    if (parent_ids_[i] == 0) continue;
    Entry& entry = entries_[i];
    const auto found = index_of.find(parent_ids_[i]);
    if (found != index_of.end() && entries_[found->second].trace == entry.trace) {
      entry.parent = found->second;
    } else if (!entry.has(kRemoteParent)) {
      entry.flags |= kLostParent;
    }
  }
  ids_ = {};
  parent_ids_ = {};
}

// Only damaged input has cycles; without this its spans would hang below no root and be lost.
void SpanTable::BreakCycles() {
  enum : uint8_t { kUnseen, kOnPath, kDone };
  std::vector<uint8_t> state(entries_.size(), kUnseen);
  std::vector<SpanIndex> path;
  for (SpanIndex i = 0; i < entries_.size(); ++i) {
    SpanIndex at = i;
    while (at != kNoSpan && state[at] == kUnseen) {
      state[at] = kOnPath;
      path.push_back(at);
      at = entries_[at].parent;
    }
    if (at != kNoSpan && state[at] == kOnPath) {
      entries_[at].parent = kNoSpan;
      entries_[at].flags |= kLostParent;
    }
    for (const SpanIndex seen : path) state[seen] = kDone;
    path.clear();
  }
}

void SpanTable::LinkChildren() {
  const size_t root_slot = entries_.size();
  const auto slot_of = [&](const Entry& entry) {
    return entry.parent == kNoSpan ? root_slot : size_t{entry.parent};
  };
  first_child_.assign(root_slot + 2, 0);
  for (const Entry& entry : entries_) ++first_child_[slot_of(entry) + 1];
  for (size_t slot = 0; slot <= root_slot; ++slot) first_child_[slot + 1] += first_child_[slot];
  children_.resize(entries_.size());
  std::vector<uint32_t> next(first_child_.begin(), first_child_.end() - 1);
  for (SpanIndex i = 0; i < entries_.size(); ++i) children_[next[slot_of(entries_[i])]++] = i;
  for (size_t slot = 0; slot <= root_slot; ++slot) {
    // Stable: of two that began at the same tick the one that ended first comes first.
    const auto by_start = [&](SpanIndex a, SpanIndex b) {
      return entries_[a].start_unix_nanos < entries_[b].start_unix_nanos;
    };
    const auto begin = children_.begin() + first_child_[slot];
    const auto end = children_.begin() + first_child_[slot + 1];
    if (!std::is_sorted(begin, end, by_start)) std::stable_sort(begin, end, by_start);
  }
}

std::span<const SpanIndex> SpanTable::ChildrenOfSlot(size_t slot) const {
  return {children_.data() + first_child_[slot], first_child_[slot + 1] - first_child_[slot]};
}

std::string SpanTable::ThreadOf(const Entry& entry) const {
  const ThreadInfo& thread = threads_[entry.thread];
  return thread.name.empty() ? "thread " + std::to_string(thread.tid) : thread.name;
}

std::string_view SpanTable::ErrorOf(SpanIndex index) const {
  const auto found = errors_.find(index);
  return found != errors_.end() ? std::string_view(texts_[found->second]) : std::string_view();
}

const std::vector<exporter::Attribute>& SpanTable::AttributesOf(SpanIndex index) const {
  static const std::vector<exporter::Attribute> kNone;
  const auto found = attributes_.find(index);
  return found == attributes_.end() ? kNone : found->second;
}

uint32_t SpanTable::InternText(std::string_view text) {
  const auto found = text_numbers_.find(text);
  if (found != text_numbers_.end()) return found->second;
  const uint32_t number = static_cast<uint32_t>(texts_.size());
  texts_.emplace_back(text);
  text_numbers_.emplace(texts_.back(), number);
  return number;
}

uint32_t SpanTable::InternTrace(const exporter::TraceId& id) {
  const auto [found, is_new] = trace_numbers_.try_emplace(id, traces_.size());
  if (is_new) traces_.push_back(id);
  return found->second;
}

uint32_t SpanTable::InternThread(const exporter::Span& span) {
  const auto [found, is_new] = thread_numbers_.try_emplace(span.thread, threads_.size());
  if (is_new) {
    threads_.push_back({span.thread->tid, span.process->pid, span.thread->name});
    process_keys_.try_emplace(span.process->process_key, 0);
  }
  return found->second;
}

}  // namespace autotrace::cli
