#include "exporter/sinks/otlp_encoder.h"

#include <stddef.h>
#include <stdint.h>

#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <variant>

#include "exporter/sinks/span_attributes.h"
#include "exporter/sinks/utf8.h"

namespace autotrace::exporter {
namespace {

using protozero::pbf_writer;

// Field numbers, by message.
namespace request_field {
enum : uint32_t { kResourceSpans = 1 };
}
namespace resource_spans_field {
enum : uint32_t { kResource = 1, kScopeSpans = 2 };
}
namespace resource_field {
enum : uint32_t { kAttributes = 1 };
}
namespace scope_spans_field {
enum : uint32_t { kScope = 1, kSpans = 2 };
}
namespace scope_field {
enum : uint32_t { kName = 1, kVersion = 2 };
}
namespace span_field {
enum : uint32_t {
  kTraceId = 1,
  kSpanId = 2,
  kParentSpanId = 4,
  kName = 5,
  kKind = 6,
  kStartTimeUnixNano = 7,
  kEndTimeUnixNano = 8,
  kAttributes = 9,
  kEvents = 11,
  kStatus = 15,
  kFlags = 16,
};
}
namespace event_field {
enum : uint32_t { kTimeUnixNano = 1, kName = 2, kAttributes = 3 };
}
namespace status_field {
enum : uint32_t { kMessage = 2, kCode = 3 };
}
namespace key_value_field {
enum : uint32_t { kKey = 1, kValue = 2 };
}
namespace any_value_field {
enum : uint32_t { kString = 1, kBool = 2, kInt = 3, kDouble = 4 };
}

void AddString(pbf_writer& message, uint32_t field, std::string_view text) {
  if (ValidUtf8Prefix(text) == text.size()) {
    message.add_string(field, text.data(), text.size());
  } else {
    std::string repaired;
    AppendValidUtf8(text, &repaired);
    message.add_string(field, repaired);
  }
}

// An AnyValue must hold its field even when that is zero or empty, because it is a oneof.
void AddValue(pbf_writer& key_value, const AttributeView& value) {
  pbf_writer any_value(key_value, key_value_field::kValue);
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    AddString(any_value, any_value_field::kString, *text);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    any_value.add_int64(any_value_field::kInt, *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    any_value.add_double(any_value_field::kDouble, *number);
  } else {
    any_value.add_bool(any_value_field::kBool, std::get<bool>(value));
  }
}

void AddAttribute(pbf_writer& message, uint32_t field, std::string_view key,
                  const AttributeView& value) {
  pbf_writer key_value(message, field);
  AddString(key_value, key_value_field::kKey, key);
  AddValue(key_value, value);
}

void AddResource(pbf_writer& resource_spans, const Process& process) {
  pbf_writer resource(resource_spans, resource_spans_field::kResource);
  for (const auto& [key, value] : process.resource) {
    AddAttribute(resource, resource_field::kAttributes, key, View(value));
  }
}

void AddScope(pbf_writer& scope_spans) {
  pbf_writer scope(scope_spans, scope_spans_field::kScope);
  scope.add_string(scope_field::kName, kScopeName.data(), kScopeName.size());
  scope.add_string(scope_field::kVersion, AUTOTRACE_VERSION);
}

void AddEvent(pbf_writer& span, const Event& event) {
  pbf_writer message(span, span_field::kEvents);
  message.add_fixed64(event_field::kTimeUnixNano, event.unix_nanos);
  AddString(message, event_field::kName, event.name);
  for (const auto& [key, value] : event.attributes) {
    AddAttribute(message, event_field::kAttributes, key, View(value));
  }
}

template <typename Id>
void AddId(pbf_writer& span, uint32_t field, const Id& id) {
  span.add_bytes(field, reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

}  // namespace

// Writes a whole field ScopeSpans.spans, so that Request has nothing to add.
void OtlpProtobufEncoding::AppendSpan(const Span& span, std::string* out) const {
  pbf_writer scope_spans(*out);
  pbf_writer message(scope_spans, scope_spans_field::kSpans);
  AddId(message, span_field::kTraceId, span.trace_id);
  AddId(message, span_field::kSpanId, span.span_id);
  if (span.parent_span_id.valid()) AddId(message, span_field::kParentSpanId, span.parent_span_id);
  AddString(message, span_field::kName, span.name);
  message.add_enum(span_field::kKind, kOtlpSpanKindInternal);
  message.add_fixed64(span_field::kStartTimeUnixNano, span.start_unix_nanos);
  message.add_fixed64(span_field::kEndTimeUnixNano, span.end_unix_nanos);
  ForEachAttribute(span, [&message](std::string_view key, const AttributeView& value) {
    AddAttribute(message, span_field::kAttributes, key, value);
  });
  for (const Event& event : span.events) AddEvent(message, event);
  if (span.error) {
    pbf_writer status(message, span_field::kStatus);
    if (!span.error_description.empty()) {
      AddString(status, status_field::kMessage, span.error_description);
    }
    status.add_enum(status_field::kCode, kOtlpStatusError);
  }
  message.add_fixed32(span_field::kFlags, OtlpFlags(span));
}

std::string OtlpProtobufEncoding::Request(const std::vector<OtlpProcessSpans>& processes) const {
  std::string body;
  size_t size = 0;
  for (const OtlpProcessSpans& process : processes) size += process.spans.size() + 1024;
  body.reserve(size);
  pbf_writer request(body);
  for (const OtlpProcessSpans& process : processes) {
    pbf_writer resource_spans(request, request_field::kResourceSpans);
    AddResource(resource_spans, *process.process);
    pbf_writer scope_spans(resource_spans, resource_spans_field::kScopeSpans);
    AddScope(scope_spans);
    // What AppendSpan wrote are fields of this very message.
    body.append(process.spans);
  }
  return body;
}

}  // namespace autotrace::exporter
