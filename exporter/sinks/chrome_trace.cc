#include "exporter/sinks/chrome_trace.h"

#include <string_view>
#include <variant>

#include "exporter/sinks/file_output.h"
#include "exporter/sinks/json_writer.h"
#include "exporter/sinks/span_attributes.h"

namespace autotrace::exporter {
namespace {

constexpr uint64_t kNanosPerDay = uint64_t{24} * 60 * 60 * 1'000'000'000;

// service.name, else the executable's base name.
std::string ProcessName(const Process& process) {
  for (const auto& [key, value] : process.resource) {
    const auto* text = std::get_if<std::string>(&value);
    if (key == "service.name" && text != nullptr && !text->empty()) return *text;
  }
  const size_t slash = process.executable.rfind('/');
  return slash == std::string::npos ? process.executable : process.executable.substr(slash + 1);
}

template <typename Id>
void WriteId(const Span& span, std::string_view key, const Id& id, JsonWriter& json) {
  if (SetByProgram(span, key)) return;  // a key may stand only once
  json.Key(key);
  json.Hex(id.bytes.data(), id.bytes.size());
}

void WriteValue(JsonWriter& json, const AttributeView& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    json.String(*text);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    json.Int(*integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    json.Double(*number);
  } else {
    json.Bool(std::get<bool>(value));
  }
}

}  // namespace

absl::Status ChromeTraceSink::Consume(const Span& span) {
  if (!begun_) Begin(span.start_unix_nanos);
  NameProcessOnce(*span.process);
  NameThreadOnce(*span.process, *span.thread);
  AppendSpan(span);
  absl::Status status = WriteToFile(buffer_, file_);
  buffer_.clear();
  return status;
}

absl::Status ChromeTraceSink::Finish() {
  if (!begun_) Begin(0);
  buffer_ += "\n]}\n";
  absl::Status status = WriteToFile(buffer_, file_);
  buffer_.clear();
  return status.ok() ? FlushFile(file_) : status;
}

void ChromeTraceSink::Begin(uint64_t first_start_unix_nanos) {
  begun_ = true;
  const uint64_t days = first_start_unix_nanos / kNanosPerDay;
  base_unix_nanos_ = (days > 0 ? days - 1 : 0) * kNanosPerDay;
  buffer_ = "{\"displayTimeUnit\":\"ns\",\"otherData\":";
  JsonWriter json(&buffer_);
  json.BeginObject();
  json.Key("producer");
  json.String("autotrace " AUTOTRACE_VERSION);
  json.Key("base_unix_nanos");
  json.UintString(base_unix_nanos_);
  json.EndObject();
  buffer_ += ",\"traceEvents\":[\n";
}

void ChromeTraceSink::BeginEvent() {
  if (has_events_) buffer_ += ",\n";
  has_events_ = true;
}

void ChromeTraceSink::NameProcessOnce(const Process& process) {
  if (!named_processes_.insert({process.process_key, process.pid}).second) return;
  AppendMetadata("process_name", process.pid, 0, ProcessName(process));
}

void ChromeTraceSink::NameThreadOnce(const Process& process, const Thread& thread) {
  if (thread.name.empty()) return;
  const ProcessIdentity identity{process.process_key, process.pid};
  if (!named_threads_.insert({identity, &thread}).second) return;
  AppendMetadata("thread_name", process.pid, thread.tid, thread.name);
}

void ChromeTraceSink::AppendMetadata(const char* what, uint64_t pid, uint64_t tid,
                                     const std::string& name) {
  BeginEvent();
  JsonWriter json(&buffer_);
  json.BeginObject();
  json.Key("ph");
  json.String("M");
  json.Key("name");
  json.String(what);
  json.Key("pid");
  json.Uint(pid);
  json.Key("tid");
  json.Uint(tid);
  json.Key("args");
  json.BeginObject();
  json.Key("name");
  json.String(name);
  json.EndObject();
  json.EndObject();
}

void ChromeTraceSink::AppendSpan(const Span& span) {
  BeginEvent();
  JsonWriter json(&buffer_);
  json.BeginObject();
  json.Key("ph");
  json.String("X");
  json.Key("name");
  json.String(span.name);
  json.Key("cat");
  json.String(span.manual ? "manual" : "function");
  json.Key("ts");
  json.Microseconds(static_cast<int64_t>(span.start_unix_nanos - base_unix_nanos_));
  json.Key("dur");
  json.Microseconds(static_cast<int64_t>(span.duration_nanos()));
  json.Key("pid");
  json.Uint(span.process->pid);
  json.Key("tid");
  json.Uint(span.thread->tid);
  json.Key("args");
  json.BeginObject();
  WriteId(span, "trace_id", span.trace_id, json);
  WriteId(span, "span_id", span.span_id, json);
  if (span.parent_span_id.valid()) WriteId(span, "parent_span_id", span.parent_span_id, json);
  if (span.error && !SetByProgram(span, "error")) {
    json.Key("error");
    json.Bool(true);
  }
  if (!span.error_description.empty() && !SetByProgram(span, "error.description")) {
    json.Key("error.description");
    json.String(span.error_description);
  }
  ForEachAttribute(span, [&json](std::string_view key, const AttributeView& value) {
    json.Key(key);
    WriteValue(json, value);
  });
  json.EndObject();
  json.EndObject();
}

}  // namespace autotrace::exporter
