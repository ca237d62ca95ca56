// Spans made by hand, for the tests of the sinks.
#ifndef AUTOTRACE_TESTS_SINKS_TEST_SPANS_H_
#define AUTOTRACE_TESTS_SINKS_TEST_SPANS_H_

#include <stdint.h>

#include <string>

#include "exporter/span.h"

namespace autotrace::test {

inline exporter::SpanId MakeSpanId(uint8_t last_byte) {
  exporter::SpanId id;
  id.bytes = {0xb0, 0, 0, 0, 0, 0, 0, last_byte};
  return id;
}

// One process with one thread, one function and one call site. What it makes points into it.
struct SpanMaker {
  exporter::Process process{
      .pid = 100,
      .process_key = 1,
      .executable = "/opt/app/bin/my_service",
      .resource = {{"service.name", std::string("my_service")}, {"process.pid", int64_t{100}}}};
  exporter::Thread thread{.tid = 101, .index = 1, .name = "worker"};
  exporter::Function function{.name = "pipeline::run",
                              .module_path = "/opt/app/bin/my_service",
                              .file = "/src/pipeline.cc",
                              .line = 12};
  exporter::CallSite caller{.description = "main (/src/main.cc:7)"};

  // 2026-08-01 00:00:00 UTC and some nanoseconds that a double cannot hold.
  static constexpr uint64_t kStart = 1'785'542'400'123'456'789;

  // An automatic root span of 1 ms.
  exporter::Span Make(uint8_t id) const {
    exporter::Span span;
    span.trace_id.bytes = {0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    span.span_id = MakeSpanId(id);
    span.name = function.name;
    span.start_unix_nanos = kStart;
    span.end_unix_nanos = kStart + 1'000'000;
    span.function = &function;
    span.caller = &caller;
    span.thread = &thread;
    span.process = &process;
    return span;
  }

  exporter::Span MakeChild(uint8_t id, uint8_t parent) const {
    exporter::Span span = Make(id);
    span.parent_span_id = MakeSpanId(parent);
    return span;
  }
};

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_SINKS_TEST_SPANS_H_
