// How spans become OTLP requests: one interface for the protobuf and the JSON form, so that
// batching (otlp_batcher.h) knows neither. Spans are encoded one at a time as they come, because
// they live only as long as the call that hands them over; a request is put together from the
// pieces.
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_ENCODING_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_ENCODING_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "exporter/span.h"

namespace autotrace::exporter {

// The encoded spans of one process: what becomes one ResourceSpans.
struct OtlpProcessSpans {
  const Process* process = nullptr;
  std::string spans;  // what AppendSpan wrote, joined by the separator
};

class OtlpEncoding {
 public:
  virtual ~OtlpEncoding() = default;
  virtual void AppendSpan(const Span& span, std::string* out) const = 0;
  // What stands between two spans.
  virtual std::string_view separator() const = 0;
  // A whole ExportTraceServiceRequest.
  virtual std::string Request(const std::vector<OtlpProcessSpans>& processes) const = 0;
};

// trace.proto: Span.flags. The low byte is W3C's trace flags, of which "sampled" is set on whatever
// is exported; the next two bits say that it is known whether the parent is remote, and that it is.
inline constexpr uint32_t kOtlpFlagSampled = 0x1;
inline constexpr uint32_t kOtlpFlagHasIsRemote = 0x100;
inline constexpr uint32_t kOtlpFlagIsRemote = 0x200;
inline uint32_t OtlpFlags(const Span& span) {
  return kOtlpFlagSampled | kOtlpFlagHasIsRemote | (span.parent_is_remote ? kOtlpFlagIsRemote : 0);
}

inline constexpr int kOtlpSpanKindInternal = 1;
inline constexpr int kOtlpStatusError = 2;

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_ENCODING_H_
