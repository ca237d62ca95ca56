// Walks records (trace_format.h) without understanding them.
#ifndef AUTOTRACE_RUNTIME_RECORD_WALK_H_
#define AUTOTRACE_RUNTIME_RECORD_WALK_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string_view>

#include "runtime/block_stream.h"
#include "runtime/trace_format.h"

namespace autotrace {

// How many bytes the record with this head takes; 0: none, or nothing follows it.
constexpr size_t RecordBytes(uint64_t head) {
  switch (format::KindOf(head)) {
    case format::RecordKind::kSpan:
      return format::kSpanBytes;
    case format::RecordKind::kSpanWithCaller:
      return format::kSpanWithCallerBytes;
    case format::RecordKind::kTraceBegin:
      return sizeof(format::TraceBegin);
    case format::RecordKind::kExtension:
      return sizeof(format::Extension) + PadTo8(format::AddressOf(head));
    case format::RecordKind::kNone:
    case format::RecordKind::kEndOfChunk:
      break;
  }
  return 0;
}

constexpr bool IsSpan(uint64_t head) {
  return format::KindOf(head) == format::RecordKind::kSpan ||
         format::KindOf(head) == format::RecordKind::kSpanWithCaller;
}

// Of memory that nobody writes to.
inline uint64_t WordAt(const char* memory) {
  uint64_t word;
  memcpy(&word, memory, sizeof(word));
  return word;
}

// Calls visit(head, record) for each whole record, until one is not.
template <typename Visit>
void ForEachRecord(std::string_view records, Visit visit) {
  while (records.size() >= sizeof(uint64_t)) {
    const uint64_t head = WordAt(records.data());
    const size_t size = RecordBytes(head);
    if (size == 0 || size > records.size()) return;
    visit(head, records.substr(0, size));
    records.remove_prefix(size);
  }
}

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_RECORD_WALK_H_
