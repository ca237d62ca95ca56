// Makes spans by hand and puts them into a SpanTable.
#ifndef AUTOTRACE_TESTS_CLI_SPAN_BUILDER_H_
#define AUTOTRACE_TESTS_CLI_SPAN_BUILDER_H_

#include <stdint.h>
#include <string.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "cli/span_table.h"
#include "exporter/span.h"

namespace autotrace::cli {

inline exporter::SpanId MakeSpanId(uint64_t number) {
  exporter::SpanId id;
  memcpy(id.bytes.data(), &number, sizeof(number));
  return id;
}

inline exporter::TraceId MakeTraceId(uint8_t number) {
  exporter::TraceId id;
  id.bytes.fill(number);
  return id;
}

// The spans of a program, in the order they are added. Ids are 1, 2, 3, ...; times are nanoseconds
// from an arbitrary moment on.
class SpanBuilder {
 public:
  SpanBuilder() {
    process_.pid = 4711;
    process_.process_key = 99;
    AddThread("");
  }

  // Later spans are on this thread.
  void AddThread(const std::string& name) {
    const uint32_t index = static_cast<uint32_t>(threads_.size() + 1);
    threads_.push_back({5000 + index, index, name});
  }

  // `parent` is an id, 0 for a root. Returns the span for further changes; its id is the number of
  // spans so far.
  exporter::Span& Add(std::string_view name, uint64_t parent, uint64_t start, uint64_t end) {
    names_.emplace_back(name);
    exporter::Span span;
    span.trace_id = MakeTraceId(1);
    span.span_id = MakeSpanId(spans_.size() + 1);
    span.parent_span_id = MakeSpanId(parent);
    span.name = names_.back();
    span.start_unix_nanos = kEpoch + start;
    span.end_unix_nanos = kEpoch + end;
    span.thread = &threads_.back();
    span.process = &process_;
    spans_.push_back(span);
    return spans_.back();
  }
  uint64_t last_id() const { return spans_.size(); }

  // Children before parents, as a program writes them.
  void Fill(SpanTable* table) const {
    for (auto span = spans_.rbegin(); span != spans_.rend(); ++span) {
      if (!table->Consume(*span).ok()) throw "Consume failed";
    }
    if (!table->Finish().ok()) throw "Finish failed";
  }

  static constexpr uint64_t kEpoch = 1'700'000'000'000'000'000;

 private:
  exporter::Process process_;
  std::deque<exporter::Thread> threads_;
  std::deque<std::string> names_;
  std::deque<exporter::Span> spans_;
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_TESTS_CLI_SPAN_BUILDER_H_
