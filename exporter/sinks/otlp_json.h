// The JSON form of OTLP: protobuf's JSON mapping with OTLP's exceptions (trace and span ids in
// hexadecimal, enums as numbers), one ExportTraceServiceRequest per line in files.
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_JSON_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_JSON_H_

#include <stdio.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "exporter/sinks/otlp_batcher.h"
#include "exporter/sinks/otlp_encoding.h"
#include "exporter/span.h"

namespace autotrace::exporter {

class OtlpJsonEncoding final : public OtlpEncoding {
 public:
  void AppendSpan(const Span& span, std::string* out) const override;
  std::string_view separator() const override { return ","; }
  // Without a line end.
  std::string Request(const std::vector<OtlpProcessSpans>& processes) const override;
};

// The OTLP file format (JSON lines). Errors are those of the file, with its errno.
class OtlpJsonFileSink final : public SpanSink {
 public:
  // Does not close `file`.
  explicit OtlpJsonFileSink(FILE* file, OtlpBatchLimits limits = {});

  absl::Status Consume(const Span& span) override { return batcher_.Consume(span); }
  absl::Status Finish() override;

 private:
  FILE* file_;
  OtlpJsonEncoding encoding_;
  OtlpBatcher batcher_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_JSON_H_
