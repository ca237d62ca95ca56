// Collects spans into OTLP requests of bounded size. The file sink writes them as lines, the live
// exporter queues them for sending.
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_BATCHER_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_BATCHER_H_

#include <stddef.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "exporter/sinks/otlp_encoding.h"
#include "exporter/span.h"

namespace autotrace::exporter {

struct OtlpBatchLimits {
  size_t max_spans = 512;
  // Of an encoded request. One below the 4 MiB that gRPC receivers take by default. A single span
  // that is larger goes out alone.
  size_t max_bytes = size_t{3} << 20;
};

struct OtlpRequest {
  std::string body;
  size_t spans = 0;
};

// Not thread-safe. Spans of one process stand together in a request, in the order they came.
class OtlpBatcher final : public SpanSink {
 public:
  using Deliver = std::function<absl::Status(OtlpRequest request)>;

  // `encoding` must outlive the batcher. What `deliver` returns, the call that caused it returns.
  OtlpBatcher(const OtlpEncoding& encoding, OtlpBatchLimits limits, Deliver deliver);

  absl::Status Consume(const Span& span) override;
  absl::Status Finish() override { return Flush(); }
  // Delivers what there is, if anything.
  absl::Status Flush();

  size_t pending_spans() const { return pending_spans_; }

 private:
  OtlpProcessSpans& SpansOf(const Process* process);

  const OtlpEncoding& encoding_;
  const OtlpBatchLimits limits_;
  const Deliver deliver_;
  std::vector<OtlpProcessSpans> processes_;
  size_t pending_spans_ = 0;
  size_t pending_bytes_ = 0;
  std::string scratch_;  // one encoded span; keeps its capacity
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_BATCHER_H_
