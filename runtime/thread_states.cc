#include "runtime/thread_states.h"

#include <string.h>

#include <algorithm>

#include "runtime/block_stream.h"
#include "runtime/record_walk.h"

namespace autotrace {
namespace {

constexpr uint64_t SequenceOf(uint64_t word) { return word >> 16; }

bool DescribesException(uint64_t head) {
  return static_cast<format::ExtensionType>(format::FlagsOf(head)) ==
             format::ExtensionType::kException &&
         format::AddressOf(head) > sizeof(format::ExceptionHeader);
}

}  // namespace

void ThreadStates::Add(uint32_t thread_index, std::string_view records) {
  Thread* thread = &threads_[thread_index];
  fresh_.clear();
  ForEachRecord(records, [&](uint64_t head, std::string_view record) {
    switch (format::KindOf(head)) {
      case format::RecordKind::kSpan:
      case format::RecordKind::kSpanWithCaller:
        if (!IsOrdinary(*thread, head, record)) End(thread, head, record);
        break;
      case format::RecordKind::kTraceBegin:
        Begin(thread, record);
        break;
      case format::RecordKind::kExtension:
        Extend(thread, head, record);
        break;
      default:
        break;
    }
  });
  for (const Fresh& extension : fresh_) Keep(thread, extension);
}

// Is this a span inside a trace, of which nothing is remembered? Most are.
inline bool ThreadStates::IsOrdinary(const Thread& thread, uint64_t head,
                                     std::string_view record) const {
  return fresh_.empty() && thread.details.empty() &&
         (thread.roots.empty() || (format::FlagsOf(head) & format::kSpanAlone) != 0 ||
          (SequenceOf(WordAt(record.data() + 24)) != 0 &&
           thread.roots.back().root_sequence != SequenceOf(WordAt(record.data() + 16))));
}

void ThreadStates::Begin(Thread* thread, std::string_view record) {
  format::TraceBegin begin;
  memcpy(&begin, record.data(), sizeof(begin));
  std::vector<format::TraceBegin>& roots = thread->roots;
  std::erase_if(roots, [&](const format::TraceBegin& root) {
    return root.root_sequence == begin.root_sequence;
  });
  if (roots.size() >= kMostRoots) roots.clear();
  roots.push_back(begin);
  thread->has_current = true;
}

void ThreadStates::Extend(Thread* thread, uint64_t head, std::string_view record) {
  const auto type = static_cast<format::ExtensionType>(format::FlagsOf(head));
  // The copy of open frames that it refers to is renewed before a segment can be removed.
  if (type == format::ExtensionType::kIdentity) return;
  // Of no span; a block says the same.
  if (type == format::ExtensionType::kModule) return;
  if (DescribesException(head)) thread->exception = record;
  fresh_.push_back({WordAt(record.data() + 8), record});
}

void ThreadStates::End(Thread* thread, uint64_t head, std::string_view record) {
  const uint64_t sequence = SequenceOf(WordAt(record.data() + 16));
  if (!fresh_.empty()) {
    std::erase_if(fresh_, [&](const Fresh& fresh) { return fresh.sequence == sequence; });
  }
  if (!thread->details.empty()) {
    if (const auto known = thread->details.find(sequence); known != thread->details.end()) {
      detail_bytes_ -= known->second.size();
      thread->details.erase(known);
    }
  }
  if (thread->roots.empty() || (format::FlagsOf(head) & format::kSpanAlone) != 0) return;
  const bool has_parent = SequenceOf(WordAt(record.data() + 24)) != 0;
  const bool is_current = thread->has_current && thread->roots.back().root_sequence == sequence;
  if (has_parent && !is_current) return;
  std::erase_if(thread->roots,
                [&](const format::TraceBegin& root) { return root.root_sequence == sequence; });
  if (is_current) thread->has_current = false;
  if (!thread->roots.empty()) return;
  // What is left is of spans whose records were lost.
  ForgetDetails(thread);
  fresh_.clear();
  thread->exception.clear();
}

void ThreadStates::ForgetDetails(Thread* thread) {
  for (const auto& [sequence, records] : thread->details) detail_bytes_ -= records.size();
  thread->details.clear();
}

void ThreadStates::Keep(Thread* thread, const Fresh& extension) {
  if (detail_bytes_ + extension.record.size() > kMostDetailBytes) return;
  thread->details[extension.sequence].append(extension.record);
  detail_bytes_ += extension.record.size();
}

void ThreadStates::AppendBlocks(std::string* blocks) const {
  for (const auto& [index, thread] : threads_) {
    if (thread.roots.empty() && thread.details.empty()) continue;
    std::string payload;
    AppendStruct(&payload, format::ThreadStateHeader{
                               index, thread.has_current ? format::kHasCurrentTrace : 0u});
    for (format::TraceBegin begin : thread.roots) {
      begin.head |= format::HeadWord(format::RecordKind::kNone, format::kTraceResumed, 0);
      AppendStruct(&payload, begin);
    }
    if (!thread.exception.empty()) {
      // Of no span: it has its record already.
      std::string record = thread.exception;
      memset(record.data() + 8, 0, sizeof(uint64_t));
      payload += record;
    }
    for (const auto& [sequence, records] : thread.details) payload += records;
    AppendBlock(blocks, format::BlockKind::kThreadState, payload);
  }
}

}  // namespace autotrace
