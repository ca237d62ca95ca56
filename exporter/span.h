// A finished span as sinks see it: names resolved, clock converted, trace known.
//
// Spans are handed to sinks one at a time and by reference; what they point to (functions, call
// sites, processes, threads) is shared, resolved once, never changed, and lives as long as the
// reader does. Texts that a span only views (name, pipeline id) last until Consume returns.
#ifndef AUTOTRACE_EXPORTER_SPAN_H_
#define AUTOTRACE_EXPORTER_SPAN_H_

#include <stdint.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace autotrace::exporter {

struct TraceId {
  std::array<uint8_t, 16> bytes{};
  friend bool operator==(const TraceId&, const TraceId&) = default;
  friend auto operator<=>(const TraceId&, const TraceId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TraceId& id) {
    return H::combine(std::move(h), id.bytes);
  }
};
struct SpanId {
  std::array<uint8_t, 8> bytes{};
  friend bool operator==(const SpanId&, const SpanId&) = default;
  friend auto operator<=>(const SpanId&, const SpanId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SpanId& id) {
    return H::combine(std::move(h), id.bytes);
  }
  bool valid() const { return *this != SpanId{}; }
};
std::string Hex(const TraceId& id);  // 32 lower-case digits
std::string Hex(const SpanId& id);   // 16

using AttributeValue = std::variant<std::string, int64_t, double, bool>;
using Attribute = std::pair<std::string, AttributeValue>;

struct Function {
  std::string name;  // qualified; "module+0xoffset" when there is no symbol
  // The binary's own: paths are recorded, and thousands of functions may name a long one.
  std::string_view module_path;
  std::string file;  // empty: unknown
  uint32_t line = 0;
};

struct CallSite {
  std::string description;  // the value of autotrace.caller: "function (file:line)"
};

struct Event {
  std::string name;
  uint64_t unix_nanos = 0;
  std::vector<Attribute> attributes;
};

struct Process {
  uint64_t pid = 0;
  uint64_t parent_pid = 0;  // 0: unknown
  uint64_t process_key = 0;
  std::string executable;
  std::vector<Attribute> resource;  // service.*, telemetry.sdk.*, process.*, host.*, os.type, ...
};

struct Thread {
  uint64_t tid = 0;
  uint32_t index = 0;
  std::string name;
};

struct Span {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_span_id;  // not valid(): a root
  bool parent_is_remote = false;
  bool manual = false;
  bool unfinished = false;  // attribute autotrace.unfinished
  // Attribute autotrace.placeholder: others name it as their parent, but its own record is not
  // there.
  bool placeholder = false;
  bool error = false;  // status ERROR, with this description, which may be empty
  std::string error_description;
  std::string_view name;
  uint64_t start_unix_nanos = 0;
  uint64_t end_unix_nanos = 0;
  const Function* function = nullptr;  // null for manual spans
  const CallSite* caller = nullptr;    // null: unknown or not asked for
  const Thread* thread = nullptr;      // never null
  const Process* process = nullptr;    // never null
  // Pipeline id when this span is to carry it, with its configured key; else empty.
  std::string_view pipeline_id_key;
  std::string_view pipeline_id;
  std::vector<Attribute> attributes;  // of manual spans, in the order set, without duplicates
  std::vector<Event> events;          // by time
  std::string stacktrace;             // code.stacktrace, empty when not asked for

  uint64_t duration_nanos() const { return end_unix_nanos - start_unix_nanos; }
};

// All attributes of a span in OpenTelemetry's names: code.*, thread.*, autotrace.*, pipeline id,
// then its own. For sinks.
std::vector<Attribute> AllAttributes(const Span& span);

// Where spans go. Not thread-safe; one reader drives it.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual absl::Status Consume(const Span& span) = 0;
  // After the last span.
  virtual absl::Status Finish() { return absl::OkStatus(); }
};

inline constexpr std::string_view kScopeName = "autotrace";

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SPAN_H_
