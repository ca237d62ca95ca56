#include "exporter/span.h"

#include <catch2/catch.hpp>

namespace autotrace::exporter {
namespace {

TEST_CASE("ids are written in lower-case hexadecimal digits") {
  TraceId trace;
  SpanId span;
  for (uint8_t i = 0; i < 16; ++i) trace.bytes[i] = static_cast<uint8_t>(0xf0 + i);
  span.bytes = {0, 1, 2, 0xab, 0, 0, 0, 0x10};
  CHECK(Hex(trace) == "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  CHECK(Hex(span) == "000102ab00000010");
}

TEST_CASE("attributes have OpenTelemetry's names and come in a fixed order") {
  const Function function = {"app::run", "/bin/app", "/src/app.cc", 12};
  const CallSite caller = {"main (/src/main.cc:3)"};
  const Thread thread = {42, 1, "worker"};
  Span span;
  span.function = &function;
  span.caller = &caller;
  span.thread = &thread;
  span.unfinished = true;
  span.stacktrace = "main\n_start";
  span.pipeline_id_key = "my.pipeline";
  span.pipeline_id = "nightly";
  span.attributes = {{"own", true}};
  const std::vector<Attribute> expected = {
      {"code.function.name", "app::run"},
      {"code.file.path", "/src/app.cc"},
      {"code.line.number", int64_t{12}},
      {"code.stacktrace", "main\n_start"},
      {"thread.id", int64_t{42}},
      {"thread.name", "worker"},
      {"autotrace.caller", "main (/src/main.cc:3)"},
      {"autotrace.unfinished", true},
      {"my.pipeline", "nightly"},
      {"own", true},
  };
  CHECK(AllAttributes(span) == expected);
}

TEST_CASE("what is not known is left out") {
  const Function function = {"app::run", "", "", 0};
  const Thread thread = {42, 1, ""};
  Span span;
  span.function = &function;
  span.thread = &thread;
  const std::vector<Attribute> expected = {{"code.function.name", "app::run"},
                                           {"thread.id", int64_t{42}}};
  CHECK(AllAttributes(span) == expected);
}

TEST_CASE("a program's own attribute wins over the one made for it") {
  const Thread thread = {42, 1, "worker"};
  Span span;
  span.thread = &thread;
  span.pipeline_id_key = "autotrace.pipeline_id";
  span.pipeline_id = "configured";
  span.attributes = {{"thread.name", "mine"}, {"autotrace.pipeline_id", "mine, too"}};
  const std::vector<Attribute> expected = {
      {"thread.id", int64_t{42}}, {"thread.name", "mine"}, {"autotrace.pipeline_id", "mine, too"}};
  CHECK(AllAttributes(span) == expected);
}

}  // namespace
}  // namespace autotrace::exporter
