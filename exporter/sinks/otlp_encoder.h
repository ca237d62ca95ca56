// The protobuf form of OTLP, written with protozero straight into a string: no generated code and
// no descriptor pool that could clash with the traced program's own protobuf. Field numbers are
// those of opentelemetry-proto (trace/v1, common/v1, resource/v1, collector/trace/v1).
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_ENCODER_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_ENCODER_H_

#include <string>
#include <string_view>
#include <vector>

#include "exporter/sinks/otlp_encoding.h"

namespace autotrace::exporter {

class OtlpProtobufEncoding final : public OtlpEncoding {
 public:
  void AppendSpan(const Span& span, std::string* out) const override;
  std::string_view separator() const override { return ""; }
  std::string Request(const std::vector<OtlpProcessSpans>& processes) const override;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_ENCODER_H_
