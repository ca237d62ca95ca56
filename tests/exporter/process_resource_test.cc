// The resource of a process: what spans say about where they come from.
#include <catch2/catch.hpp>

#include "exporter/block_parser.h"
#include "exporter/described_process.h"
#include "exporter/span_decoder.h"
#include "tests/exporter/collecting_sink.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using testing::ProcessFields;
using testing::StreamBuilder;

const AttributeValue* Find(const Process& process, std::string_view key) {
  const AttributeValue* found = nullptr;
  for (const Attribute& attribute : process.resource) {
    if (attribute.first != key) continue;
    CHECK(found == nullptr);  // keys are unique
    found = &attribute.second;
  }
  return found;
}

bool Has(const Process& process, std::string_view key, const AttributeValue& value) {
  const AttributeValue* found = Find(process, key);
  return found != nullptr && *found == value;
}

Process Describe(const ProcessFields& fields, uint64_t key = 7) {
  DescribedProcess process(key);
  std::string warning;
  REQUIRE(process.Describe(StreamBuilder(fields).ProcessPayload(), &warning).ok());
  CHECK(warning.empty());
  return process.present();
}

TEST_CASE("the resource names service, process, host and SDK") {
  ProcessFields fields;
  fields.host_name = "build7";
  const Process process = Describe(fields);
  CHECK(Has(process, "service.name", "my_service"));
  CHECK(Has(process, "telemetry.sdk.name", "autotrace"));
  CHECK(Has(process, "telemetry.sdk.language", "cpp"));
  CHECK(Has(process, "telemetry.sdk.version", "0.1.0"));
  CHECK(Has(process, "process.pid", int64_t{4711}));
  CHECK(Has(process, "process.parent_pid", int64_t{1}));
  CHECK(Has(process, "process.executable.name", "my_service"));
  CHECK(Has(process, "process.executable.path", "/opt/app/bin/my_service"));
  CHECK(Has(process, "host.name", "build7"));
  CHECK(Has(process, "os.type", "linux"));
  CHECK(process.pid == 4711);
  CHECK(process.process_key == 7);
}

TEST_CASE("configured attributes win, and the service's name wins over them") {
  ProcessFields fields;
  fields.config_yaml =
      "service_name: orders\n"
      "resource_attributes:\n  service.name: other\n  host.name: mine\n  team: blue\n";
  fields.host_name = "build7";
  const Process process = Describe(fields);
  CHECK(Has(process, "service.name", "orders"));
  CHECK(Has(process, "host.name", "mine"));
  CHECK(Has(process, "team", "blue"));
}

TEST_CASE("arguments are told only when they were recorded") {
  ProcessFields fields;
  CHECK(Find(Describe(fields), "process.command_line") == nullptr);
  fields.arguments = std::string("app\0--fast\0", 11);
  CHECK(Has(Describe(fields), "process.command_line", "app --fast"));
}

TEST_CASE("an instance's id is a version 4 UUID, stable and different for each process") {
  const auto id = [](uint64_t key) {
    const Process process = Describe({}, key);
    const AttributeValue* value = Find(process, "service.instance.id");
    REQUIRE(value != nullptr);
    return std::get<std::string>(*value);
  };
  const std::string first = id(7);
  CHECK_THAT(first, Catch::Matchers::Matches(
                        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  CHECK(first == id(7));
  CHECK(first != id(8));
}

TEST_CASE("a configuration that cannot be read is warned about and defaults hold") {
  ProcessFields fields;
  fields.config_yaml = "min_duration: [\n";
  DescribedProcess process(7);
  std::string warning;
  REQUIRE(process.Describe(StreamBuilder(fields).ProcessPayload(), &warning).ok());
  CHECK_FALSE(warning.empty());
  CHECK(process.config().pipeline_id_key == "autotrace.pipeline_id");
}

TEST_CASE("what was dropped stands in the resource, by cause, when there is any") {
  StreamBuilder stream;
  stream.Process().Counter(format::Counter::kRecordedSpans, 1000);
  stream.Counter(format::Counter::kDroppedRingFull, 5).Counter(format::Counter::kDroppedInHook, 0);
  SpanDecoder decoder(DecodeOptions{false, 1, nullptr});
  testing::CollectingSink sink;
  BlockParser parser{std::string_view(stream.bytes())};
  for (Block block; parser.Next(&block);) {
    REQUIRE(decoder.Block(block.kind, block.payload, sink).ok());
  }
  CHECK(Has(decoder.process(), "autotrace.dropped.ring_full", int64_t{5}));
  CHECK(Find(decoder.process(), "autotrace.dropped.in_hook") == nullptr);
}

TEST_CASE("a process that was handed out does not change, and not every drop makes a new one") {
  DescribedProcess process(7);
  const auto drop = [&](uint64_t total) {
    std::string payload;
    AppendStruct(&payload, format::CounterEntry{
                               static_cast<uint32_t>(format::Counter::kDroppedRingFull), 0, total});
    REQUIRE(process.Count(payload).ok());
  };
  const Process* before = process.HandOut();
  drop(10);
  const Process* ten = process.HandOut();
  CHECK(before != ten);
  CHECK(Find(*before, "autotrace.dropped.ring_full") == nullptr);
  drop(19);
  CHECK(process.HandOut() == ten);
  drop(20);
  CHECK(process.HandOut() != ten);
  CHECK(Has(*ten, "autotrace.dropped.ring_full", int64_t{10}));
  drop(21);
  process.Refresh();
  CHECK(Has(process.present(), "autotrace.dropped.ring_full", int64_t{21}));
}

}  // namespace
}  // namespace autotrace::exporter
