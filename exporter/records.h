// How long each kind of record is: what one needs to walk records without understanding them.
#ifndef AUTOTRACE_EXPORTER_RECORDS_H_
#define AUTOTRACE_EXPORTER_RECORDS_H_

#include <stddef.h>
#include <stdint.h>

#include "runtime/trace_format.h"

namespace autotrace::exporter {

constexpr bool IsSpan(uint64_t head) {
  return format::KindOf(head) == format::RecordKind::kSpan ||
         format::KindOf(head) == format::RecordKind::kSpanWithCaller;
}

// Size in bytes, padding included, of the record that starts with this word. 0: no record can, that
// is, the word is zero (nothing was committed here), of an unknown kind, or of a length no writer
// makes.
constexpr size_t RecordSize(uint64_t head) {
  switch (format::KindOf(head)) {
    case format::RecordKind::kSpan:
      return format::kSpanBytes;
    case format::RecordKind::kSpanWithCaller:
      return format::kSpanWithCallerBytes;
    case format::RecordKind::kTraceBegin:
      return sizeof(format::TraceBegin);
    case format::RecordKind::kEndOfChunk:
      return sizeof(uint64_t);
    case format::RecordKind::kExtension: {
      const uint64_t payload = format::AddressOf(head);
      if (payload > format::kMaxExtensionPayload) return 0;
      return sizeof(format::Extension) + ((payload + 7) & ~uint64_t{7});
    }
    case format::RecordKind::kNone:
      return 0;
  }
  return 0;
}

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RECORDS_H_
