// What an endpoint's answer to an OTLP/HTTP export says: how many spans it rejected, and its words.
#ifndef AUTOTRACE_EXPORTER_SINKS_OTLP_RESPONSE_H_
#define AUTOTRACE_EXPORTER_SINKS_OTLP_RESPONSE_H_

#include <stdint.h>

#include <string>
#include <string_view>

namespace autotrace::exporter {

struct OtlpResponse {
  uint64_t rejected_spans = 0;  // of a 2xx answer's partial success
  // At most 200 characters on one line, control characters as blanks, valid UTF-8: a partial
  // success's error_message, the message of the google.rpc.Status that failures carry, or the
  // body's beginning when it is text.
  std::string message;
};

// Never fails: a body that does not parse as what its content type says yields nothing.
OtlpResponse ParseOtlpResponse(int http_status, std::string_view content_type,
                               std::string_view body);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_OTLP_RESPONSE_H_
