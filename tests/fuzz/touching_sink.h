// A sink that looks at all of every span: its fields, and what each file format and OTLP encoding
// makes of it.
#ifndef AUTOTRACE_TESTS_FUZZ_TOUCHING_SINK_H_
#define AUTOTRACE_TESTS_FUZZ_TOUCHING_SINK_H_

#include <stdio.h>

#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "exporter/sinks/chrome_trace.h"
#include "exporter/sinks/otlp_encoder.h"
#include "exporter/sinks/otlp_json.h"
#include "exporter/span.h"
#include "tests/fuzz/fuzz_target.h"

namespace autotrace::fuzz {

class TouchingSink : public exporter::SpanSink {
 public:
  absl::Status Consume(const exporter::Span& span) override {
    Require(span.start_unix_nanos <= span.end_unix_nanos, "a span ends after it starts");
    Require(span.thread != nullptr && span.process != nullptr, "a span has a thread and a process");
    Touch(span.name);
    Touch(span.error_description);
    Touch(span.stacktrace);
    Touch(span.thread->name);
    if (span.function != nullptr) Touch(span.function->module_path);
    for (const exporter::Event& event : span.events) TouchAll(event.attributes);
    TouchAll(exporter::AllAttributes(span));
    if (span.process != last_process_) TouchAll(span.process->resource);
    last_process_ = span.process;

    encoded_.clear();
    protobuf_.AppendSpan(span, &encoded_);
    Touch(encoded_);
    encoded_.clear();
    json_.AppendSpan(span, &encoded_);
    Require(nlohmann::json::accept(encoded_), "a span's JSON is JSON");
    return chrome_.Consume(span);
  }
  absl::Status Finish() override { return chrome_.Finish(); }

 private:
  static void TouchAll(const std::vector<exporter::Attribute>& attributes) {
    for (const exporter::Attribute& attribute : attributes) {
      Touch(attribute.first);
      if (const auto* text = std::get_if<std::string>(&attribute.second)) Touch(*text);
    }
  }
  static FILE* Nowhere() {
    static FILE* const file = fopen("/dev/null", "w");
    return file;
  }

  exporter::OtlpProtobufEncoding protobuf_;
  exporter::OtlpJsonEncoding json_;
  exporter::ChromeTraceSink chrome_{Nowhere()};
  std::string encoded_;
  const exporter::Process* last_process_ = nullptr;
};

}  // namespace autotrace::fuzz

#endif  // AUTOTRACE_TESTS_FUZZ_TOUCHING_SINK_H_
