// The URL that traces are posted to, by the OTLP exporter specification: a base URL gets
// "/v1/traces" appended, one meant for traces is used as it is.
#ifndef AUTOTRACE_FILTERS_OTLP_ENDPOINT_H_
#define AUTOTRACE_FILTERS_OTLP_ENDPOINT_H_

#include <stdint.h>

#include <string>
#include <string_view>

namespace autotrace::filters {

enum class EndpointKind : uint8_t { kBase, kTraces };

// On failure false and *error says what was found and what was expected.
bool ResolveEndpoint(std::string_view text, EndpointKind kind, std::string* url,
                     std::string* error);

// Its path ends in /v1/traces, so that ResolveEndpoint leaves it alone as a base too.
bool EndsInTracesPath(std::string_view url);

// Without "user:password@".
std::string WithoutUserInfo(std::string_view url);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_OTLP_ENDPOINT_H_
