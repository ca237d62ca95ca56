#include "exporter/sinks/otlp_response.h"

#include <stddef.h>

#include <exception>
#include <protozero/pbf_reader.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "exporter/sinks/utf8.h"

namespace autotrace::exporter {
namespace {

constexpr size_t kMaxMessageCharacters = 200;

// ExportTraceServiceResponse.partial_success, its fields, and google.rpc.Status.message.
constexpr uint32_t kPartialSuccess = 1;
constexpr uint32_t kRejectedSpans = 1;
constexpr uint32_t kErrorMessage = 2;
constexpr uint32_t kStatusMessage = 2;

std::string OneLine(std::string_view text) {
  std::string valid;
  AppendValidUtf8(text, &valid);
  absl::StripAsciiWhitespace(&valid);
  std::string line;
  size_t characters = 0;
  for (const char c : valid) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues_character = (byte & 0xc0) == 0x80;
    if (!continues_character && ++characters > kMaxMessageCharacters) return line + "...";
    line.push_back(byte < 0x20 || byte == 0x7f ? ' ' : c);
  }
  return line;
}

void ParsePartialSuccess(std::string_view body, OtlpResponse* response) {
  protozero::pbf_reader message(body.data(), body.size());
  while (message.next(kPartialSuccess, protozero::pbf_wire_type::length_delimited)) {
    protozero::pbf_reader partial = message.get_message();
    while (partial.next()) {
      if (partial.tag() == kRejectedSpans &&
          partial.wire_type() == protozero::pbf_wire_type::varint) {
        const int64_t rejected = partial.get_int64();
        response->rejected_spans = rejected > 0 ? static_cast<uint64_t>(rejected) : 0;
      } else if (partial.tag() == kErrorMessage &&
                 partial.wire_type() == protozero::pbf_wire_type::length_delimited) {
        response->message = OneLine(partial.get_string());
      } else {
        partial.skip();
      }
    }
  }
}

void ParseStatus(std::string_view body, OtlpResponse* response) {
  protozero::pbf_reader status(body.data(), body.size());
  while (status.next(kStatusMessage, protozero::pbf_wire_type::length_delimited)) {
    response->message = OneLine(status.get_string());
  }
}

}  // namespace

OtlpResponse ParseOtlpResponse(int http_status, std::string_view content_type,
                               std::string_view body) {
  OtlpResponse response;
  const bool success = http_status >= 200 && http_status < 300;
  if (absl::StartsWithIgnoreCase(std::string(content_type), "application/x-protobuf")) {
    try {
      if (success) {
        ParsePartialSuccess(body, &response);
      } else {
        ParseStatus(body, &response);
      }
    } catch (const std::exception&) {
      response = {};  // truncated or not what it says
    }
  } else if (!success) {
    response.message = OneLine(body);
  }
  return response;
}

}  // namespace autotrace::exporter
