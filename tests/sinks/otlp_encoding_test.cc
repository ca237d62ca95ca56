// Both OTLP forms, decoded by the official bindings (check_otlp.py) and compared with what the
// spans should be; the two share the expectation because they say the same.
#include <stdint.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "exporter/sinks/file_sinks.h"
#include "exporter/sinks/otlp_batcher.h"
#include "exporter/sinks/otlp_encoder.h"
#include "exporter/sinks/otlp_json.h"
#include "exporter/sinks/span_attributes.h"
#include "exporter/span.h"
#include "tests/sinks/test_program.h"
#include "tests/sinks/test_spans.h"
#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using test::ProgramResult;
using test::RunScript;
using test::SpanMaker;
using test::TemporaryFolder;
using test::WriteFile;

// Every field and every type of attribute, and the values that a careless encoder leaves out.
std::vector<Span> AllKindsOfSpans(const SpanMaker& maker) {
  Span root = maker.Make(1);
  root.pipeline_id_key = "autotrace.pipeline_id";
  root.pipeline_id = "6f1e9d1c";
  root.stacktrace = "main\n_start";
  root.error = true;
  root.unfinished = true;

  Span manual = maker.MakeChild(2, 1);
  manual.manual = true;
  manual.function = nullptr;
  manual.caller = nullptr;
  manual.name = "bad \xff byte";
  manual.parent_is_remote = true;
  manual.start_unix_nanos = SpanMaker::kStart + 1;
  manual.end_unix_nanos = manual.start_unix_nanos;
  manual.attributes = {{"text", std::string("quote \" and \xc3\xa9 and \xff")},
                       {"empty", std::string()},
                       {"zero", int64_t{0}},
                       {"smallest", std::numeric_limits<int64_t>::min()},
                       {"number", 0.1},
                       {"infinite", std::numeric_limits<double>::infinity()},
                       {"no", false},
                       {"yes", true}};
  return {root, manual};
}

constexpr char kAllKindsDecoded[] = R"json([{"resourceSpans": [{
  "resource": {"attributes": {"service.name": {"stringValue": "my_service"},
                              "process.pid": {"intValue": "100"}}},
  "scopeSpans": [{
    "scope": {"name": "autotrace", "version": ")json" AUTOTRACE_VERSION R"json("},
    "spans": [
      {"traceId": "a00102030405060708090a0b0c0d0e0f", "spanId": "b000000000000001",
       "flags": 257, "name": "pipeline::run", "kind": 1,
       "startTimeUnixNano": "1785542400123456789", "endTimeUnixNano": "1785542400124456789",
       "attributes": {
         "code.function.name": {"stringValue": "pipeline::run"},
         "code.file.path": {"stringValue": "/src/pipeline.cc"},
         "code.line.number": {"intValue": "12"},
         "code.stacktrace": {"stringValue": "main\n_start"},
         "thread.id": {"intValue": "101"},
         "thread.name": {"stringValue": "worker"},
         "autotrace.caller": {"stringValue": "main (/src/main.cc:7)"},
         "autotrace.unfinished": {"boolValue": true},
         "autotrace.pipeline_id": {"stringValue": "6f1e9d1c"}},
       "status": {"code": 2}},
      {"traceId": "a00102030405060708090a0b0c0d0e0f", "spanId": "b000000000000002",
       "parentSpanId": "b000000000000001",
       "flags": 769, "name": "bad \ufffd byte", "kind": 1,
       "startTimeUnixNano": "1785542400123456790", "endTimeUnixNano": "1785542400123456790",
       "attributes": {
         "thread.id": {"intValue": "101"},
         "thread.name": {"stringValue": "worker"},
         "text": {"stringValue": "quote \" and \u00e9 and \ufffd"},
         "empty": {"stringValue": ""},
         "zero": {"intValue": "0"},
         "smallest": {"intValue": "-9223372036854775808"},
         "number": {"doubleValue": 0.1},
         "infinite": {"doubleValue": "Infinity"},
         "no": {"boolValue": false},
         "yes": {"boolValue": true}}}]}]}]}])json";

std::vector<OtlpRequest> Batch(const OtlpEncoding& encoding, const std::vector<Span>& spans,
                               OtlpBatchLimits limits = {}) {
  std::vector<OtlpRequest> requests;
  OtlpBatcher batcher(encoding, limits, [&requests](OtlpRequest request) {
    requests.push_back(std::move(request));
    return absl::OkStatus();
  });
  for (const Span& span : spans) REQUIRE(batcher.Consume(span).ok());
  REQUIRE(batcher.Finish().ok());
  return requests;
}

ProgramResult CheckProtobuf(const std::vector<OtlpRequest>& requests, std::string option,
                            const std::string& expected = "") {
  TemporaryFolder directory;
  std::vector<std::string> arguments = {"protobuf"};
  for (const OtlpRequest& request : requests) {
    arguments.push_back(directory / std::to_string(arguments.size()));
    WriteFile(arguments.back(), request.body);
  }
  arguments.push_back(std::move(option));
  if (!expected.empty()) {
    arguments.push_back(directory / "expected.json");
    WriteFile(arguments.back(), expected);
  }
  return RunScript("check_otlp.py", arguments);
}

std::string WriteJson(const std::vector<Span>& spans, const std::string& path) {
  FILE* file = fopen(path.c_str(), "w");
  REQUIRE(file != nullptr);
  auto sink = MakeFileSink("otlp-json", file);
  REQUIRE(sink.ok());
  for (const Span& span : spans) REQUIRE((*sink)->Consume(span).ok());
  REQUIRE((*sink)->Finish().ok());
  REQUIRE(fclose(file) == 0);
  return path;
}

TEST_CASE("the official bindings read every field of a span from the protobuf form") {
  const SpanMaker maker;
  const auto requests = Batch(OtlpProtobufEncoding(), AllKindsOfSpans(maker));
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].spans == 2);
  const ProgramResult result = CheckProtobuf(requests, "--expect", kAllKindsDecoded);
  INFO(result.output);
  CHECK(result.status == 0);
}

TEST_CASE("the official bindings read every field of a span from the JSON form") {
  const SpanMaker maker;
  const TemporaryFolder directory;
  const std::string path = WriteJson(AllKindsOfSpans(maker), directory / "spans.jsonl");
  WriteFile(directory / "expected.json", kAllKindsDecoded);
  const ProgramResult result =
      RunScript("check_otlp.py", {"json", path, "--expect", directory / "expected.json"});
  INFO(result.output);
  CHECK(result.status == 0);
}

TEST_CASE("the JSON form is one request per line") {
  const SpanMaker maker;
  const TemporaryFolder directory;
  const std::vector<Span> spans(1025, maker.Make(1));
  const std::string text = test::ReadFile(WriteJson(spans, directory / "spans.jsonl"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(text.back() == '\n');
}

TEST_CASE("no spans make an empty OTLP file") {
  const TemporaryFolder directory;
  CHECK(test::ReadFile(WriteJson({}, directory / "spans.jsonl")).empty());
}

TEST_CASE("the encoders list the attributes that AllAttributes lists") {
  const SpanMaker maker;
  for (const Span& span : AllKindsOfSpans(maker)) {
    std::vector<Attribute> listed;
    ForEachAttribute(span, [&listed](std::string_view key, const AttributeView& value) {
      AttributeValue owned = std::visit(
          [](const auto& alternative) {
            if constexpr (std::is_same_v<std::decay_t<decltype(alternative)>, std::string_view>) {
              return AttributeValue(std::string(alternative));
            } else {
              return AttributeValue(alternative);
            }
          },
          value);
      listed.emplace_back(key, std::move(owned));
    });
    const auto by_key = [](const std::vector<Attribute>& attributes) {
      return std::map<std::string, AttributeValue>(attributes.begin(), attributes.end());
    };
    CHECK(by_key(listed) == by_key(AllAttributes(span)));
  }
}

TEST_CASE("an attribute that the program sets stands once, with its value") {
  const SpanMaker maker;
  Span span = maker.Make(1);
  span.attributes = {{"thread.name", std::string("mine")}};
  const auto requests = Batch(OtlpProtobufEncoding(), {span});
  const ProgramResult result = CheckProtobuf(requests, "--");
  INFO(result.output);
  REQUIRE(result.status == 0);  // check_otlp.py rejects duplicate keys
  CHECK(result.output.find("\"mine\"") != std::string::npos);
  CHECK(result.output.find("\"worker\"") == std::string::npos);
}

TEST_CASE("a batch goes out when it has the number of spans") {
  const SpanMaker maker;
  std::vector<Span> spans;
  for (uint8_t id = 1; id <= 10; ++id) spans.push_back(maker.Make(id));
  const auto requests = Batch(OtlpProtobufEncoding(), spans, {.max_spans = 4});
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].spans == 4);
  CHECK(requests[2].spans == 2);
  CHECK(CheckProtobuf(requests, "--summary").output ==
        "requests=3 largest=4 spans=10 traces=1 roots=10 orphans=0\n");
}

TEST_CASE("no request is larger than allowed, unless a single span is") {
  const SpanMaker maker;
  std::vector<Span> spans;
  for (uint8_t id = 1; id <= 40; ++id) {
    spans.push_back(maker.Make(id));
    spans.back().stacktrace.assign(id == 20 ? 5000 : 200, 'x');
  }
  constexpr size_t kMaxBytes = 4096;
  const OtlpProtobufEncoding protobuf;
  const OtlpJsonEncoding json;
  for (const OtlpEncoding* encoding :
       {static_cast<const OtlpEncoding*>(&protobuf), static_cast<const OtlpEncoding*>(&json)}) {
    const auto requests = Batch(*encoding, spans, {.max_bytes = kMaxBytes});
    size_t all_spans = 0;
    for (const OtlpRequest& request : requests) {
      all_spans += request.spans;
      if (request.spans > 1) CHECK(request.body.size() <= kMaxBytes);
    }
    CHECK(all_spans == spans.size());
    CHECK(requests.size() < spans.size() / 2);
  }
}

TEST_CASE("spans of several processes stand under their own resources") {
  const SpanMaker first;
  SpanMaker second;
  second.process.resource = {{"service.name", std::string("other")}};
  const auto requests =
      Batch(OtlpProtobufEncoding(), {first.Make(1), second.Make(2), first.Make(3)});
  REQUIRE(requests.size() == 1);
  const std::string decoded = CheckProtobuf(requests, "--").output;
  const auto position = [&decoded](const std::string& text) {
    const size_t found = decoded.find(text);
    REQUIRE(found != std::string::npos);
    return found;
  };
  CHECK(position("my_service") < position("b000000000000001"));
  CHECK(position("b000000000000001") < position("b000000000000003"));
  CHECK(position("b000000000000003") < position("\"other\""));
  CHECK(position("\"other\"") < position("b000000000000002"));
}

TEST_CASE("an output that cannot be written is an error that says why") {
  const SpanMaker maker;
  for (const char* format : {"otlp-json", "chrome"}) {
    FILE* full = fopen("/dev/full", "w");
    REQUIRE(full != nullptr);
    auto sink = MakeFileSink(format, full);
    REQUIRE(sink.ok());
    absl::Status status = (*sink)->Consume(maker.Make(1));
    status.Update((*sink)->Finish());
    CHECK(std::string(status.message()).find("No space left on device") != std::string::npos);
    fclose(full);
  }
}

TEST_CASE("an unknown format is an error that names the known ones") {
  const auto sink = MakeFileSink("jaeger", stdout);
  CHECK(std::string(sink.status().message()) ==
        "unknown format 'jaeger', expected one of otlp-json, chrome");
}

}  // namespace
}  // namespace autotrace::exporter
