#include "exporter/sinks/chrome_trace.h"

#include <stdint.h>
#include <stdio.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "exporter/sinks/file_sinks.h"
#include "tests/sinks/test_program.h"
#include "tests/sinks/test_spans.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using test::ProgramResult;
using test::RunScript;
using test::SpanMaker;
using test::TemporaryFolder;

std::string WriteChrome(const std::vector<Span>& spans, const std::string& path) {
  FILE* file = fopen(path.c_str(), "w");
  REQUIRE(file != nullptr);
  auto sink = MakeFileSink("chrome", file);
  REQUIRE(sink.ok());
  for (const Span& span : spans) REQUIRE((*sink)->Consume(span).ok());
  REQUIRE((*sink)->Finish().ok());
  REQUIRE(fclose(file) == 0);
  return path;
}

Span At(Span span, uint64_t start, uint64_t end) {
  span.start_unix_nanos = SpanMaker::kStart + start;
  span.end_unix_nanos = SpanMaker::kStart + end;
  return span;
}

TEST_CASE("a Chrome trace nests spans on their threads to the nanosecond") {
  const SpanMaker maker;
  Thread other{.tid = 102, .index = 2, .name = ""};
  Span elsewhere = At(maker.Make(4), 5, 2'000'003);
  elsewhere.thread = &other;
  const TemporaryFolder directory;
  // In the order of ends, as the reader hands them over. The second and third start at the same
  // time as their parent and end with it; siblings touch.
  const std::string path = WriteChrome(
      {At(maker.MakeChild(2, 1), 0, 333'333), At(maker.MakeChild(3, 1), 333'333, 1'000'001),
       At(maker.Make(1), 0, 1'000'001), elsewhere},
      directory / "trace.json");
  const ProgramResult result = RunScript("check_chrome.py", {path});
  CHECK(result.status == 0);
  CHECK(result.output ==
        "0 0+1000001 my_service/worker pipeline::run\n"
        "1 0+333333 my_service/worker pipeline::run\n"
        "1 333333+666668 my_service/worker pipeline::run\n"
        "0 5+1999998 my_service/102 pipeline::run\n");
}

TEST_CASE("spans that started days before the first one ended keep their nanoseconds") {
  const SpanMaker maker;
  constexpr uint64_t kDay = 86'400'000'000'000;
  const TemporaryFolder directory;
  std::vector<Span> spans;
  for (uint64_t day = 0; day < 40; ++day) {
    spans.push_back(At(maker.MakeChild(2, 1), day * kDay + 1, day * kDay + 4));
  }
  spans.push_back(At(maker.Make(1), 1, 39 * kDay + 4));
  const ProgramResult result =
      RunScript("check_chrome.py", {WriteChrome(spans, directory / "trace.json")});
  INFO(result.output);
  CHECK(result.status == 0);
  CHECK(result.output.find("1 3369600000000000+3 ") != std::string::npos);
}

TEST_CASE("a Chrome event carries ids, attributes and the kind of span") {
  const SpanMaker maker;
  Span span = maker.MakeChild(2, 1);
  span.manual = true;
  span.error = true;
  span.attributes = {{"count", int64_t{3}}, {"span_id", std::string("mine")}};
  const TemporaryFolder directory;
  const std::string text = test::ReadFile(WriteChrome({span}, directory / "trace.json"));
  CHECK(text.find(R"("cat":"manual")") != std::string::npos);
  CHECK(text.find(R"("trace_id":"a00102030405060708090a0b0c0d0e0f")") != std::string::npos);
  CHECK(text.find(R"("parent_span_id":"b000000000000001")") != std::string::npos);
  CHECK(text.find(R"("span_id":"b000000000000002")") == std::string::npos);
  CHECK(text.find(R"("count":3,"span_id":"mine"})") != std::string::npos);
  CHECK(text.find(R"("error":true)") != std::string::npos);
  CHECK(text.find(R"("code.function.name":"pipeline::run")") != std::string::npos);
}

TEST_CASE("a Chrome trace without spans is valid JSON without events") {
  const TemporaryFolder directory;
  const ProgramResult result =
      RunScript("check_chrome.py", {WriteChrome({}, directory / "trace.json")});
  CHECK(result.status == 0);
  CHECK(result.output.empty());
}

TEST_CASE("a process without a service name is named after its executable") {
  SpanMaker maker;
  maker.process.resource.clear();
  const TemporaryFolder directory;
  const std::string text = test::ReadFile(WriteChrome({maker.Make(1)}, directory / "trace.json"));
  CHECK(text.find(R"("process_name","pid":100,"tid":0,"args":{"name":"my_service"})") !=
        std::string::npos);
}

}  // namespace
}  // namespace autotrace::exporter
