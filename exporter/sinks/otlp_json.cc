#include "exporter/sinks/otlp_json.h"

#include <stdint.h>

#include <string_view>
#include <utility>
#include <variant>

#include "exporter/sinks/file_output.h"
#include "exporter/sinks/json_writer.h"
#include "exporter/sinks/span_attributes.h"

namespace autotrace::exporter {
namespace {

void WriteAttribute(JsonWriter& json, std::string_view key, const AttributeView& value) {
  json.BeginObject();
  json.Key("key");
  json.String(key);
  json.Key("value");
  json.BeginObject();
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    json.Key("stringValue");
    json.String(*text);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    json.Key("intValue");
    json.IntString(*integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    json.Key("doubleValue");
    json.Double(*number);
  } else {
    json.Key("boolValue");
    json.Bool(std::get<bool>(value));
  }
  json.EndObject();
  json.EndObject();
}

void WriteAttributes(JsonWriter& json, const std::vector<Attribute>& attributes) {
  json.Key("attributes");
  json.BeginArray();
  for (const auto& [key, value] : attributes) WriteAttribute(json, key, View(value));
  json.EndArray();
}

void WriteResource(JsonWriter& json, const Process& process) {
  json.Key("resource");
  json.BeginObject();
  WriteAttributes(json, process.resource);
  json.EndObject();
}

void WriteScope(JsonWriter& json) {
  json.Key("scope");
  json.BeginObject();
  json.Key("name");
  json.String(kScopeName);
  json.Key("version");
  json.String(AUTOTRACE_VERSION);
  json.EndObject();
}

void WriteEvents(JsonWriter& json, const std::vector<Event>& events) {
  json.Key("events");
  json.BeginArray();
  for (const Event& event : events) {
    json.BeginObject();
    json.Key("timeUnixNano");
    json.UintString(event.unix_nanos);
    json.Key("name");
    json.String(event.name);
    WriteAttributes(json, event.attributes);
    json.EndObject();
  }
  json.EndArray();
}

template <typename Id>
void WriteId(JsonWriter& json, std::string_view key, const Id& id) {
  json.Key(key);
  json.Hex(id.bytes.data(), id.bytes.size());
}

}  // namespace

void OtlpJsonEncoding::AppendSpan(const Span& span, std::string* out) const {
  JsonWriter json(out);
  json.BeginObject();
  WriteId(json, "traceId", span.trace_id);
  WriteId(json, "spanId", span.span_id);
  if (span.parent_span_id.valid()) WriteId(json, "parentSpanId", span.parent_span_id);
  json.Key("flags");
  json.Uint(OtlpFlags(span));
  json.Key("name");
  json.String(span.name);
  json.Key("kind");
  json.Int(kOtlpSpanKindInternal);
  json.Key("startTimeUnixNano");
  json.UintString(span.start_unix_nanos);
  json.Key("endTimeUnixNano");
  json.UintString(span.end_unix_nanos);
  json.Key("attributes");
  json.BeginArray();
  ForEachAttribute(span, [&json](std::string_view key, const AttributeView& value) {
    WriteAttribute(json, key, value);
  });
  json.EndArray();
  if (!span.events.empty()) WriteEvents(json, span.events);
  if (span.error) {
    json.Key("status");
    json.BeginObject();
    if (!span.error_description.empty()) {
      json.Key("message");
      json.String(span.error_description);
    }
    json.Key("code");
    json.Int(kOtlpStatusError);
    json.EndObject();
  }
  json.EndObject();
}

std::string OtlpJsonEncoding::Request(const std::vector<OtlpProcessSpans>& processes) const {
  std::string line;
  size_t size = 0;
  for (const OtlpProcessSpans& process : processes) size += process.spans.size() + 1024;
  line.reserve(size);
  JsonWriter json(&line);
  json.BeginObject();
  json.Key("resourceSpans");
  json.BeginArray();
  for (const OtlpProcessSpans& process : processes) {
    json.BeginObject();
    WriteResource(json, *process.process);
    json.Key("scopeSpans");
    json.BeginArray();
    json.BeginObject();
    WriteScope(json);
    json.Key("spans");
    json.BeginArray();
    if (!process.spans.empty()) json.Raw(process.spans);
    json.EndArray();
    json.EndObject();
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return line;
}

OtlpJsonFileSink::OtlpJsonFileSink(FILE* file, OtlpBatchLimits limits)
    : file_(file), batcher_(encoding_, limits, [this](OtlpRequest request) {
        request.body.push_back('\n');
        return WriteToFile(request.body, file_);
      }) {}

absl::Status OtlpJsonFileSink::Finish() {
  if (absl::Status status = batcher_.Flush(); !status.ok()) return status;
  return FlushFile(file_);
}

}  // namespace autotrace::exporter
