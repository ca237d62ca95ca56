// Extensions: names, attributes and stacks of spans.
#include "exporter/span_details.h"

#include <catch2/catch.hpp>

#include "exporter/block_parser.h"
#include "exporter/span_decoder.h"
#include "tests/exporter/collecting_sink.h"
#include "tests/exporter/stream_builder.h"

namespace autotrace::exporter {
namespace {

using format::AttributeType;
using testing::CollectingSink;
using testing::kEpoch;
using testing::Records;
using testing::StreamBuilder;

class Decoding {
 public:
  explicit Decoding(const Records& records) {
    StreamBuilder stream;
    stream.Process().Clock(0, kEpoch).Module(1, "/nowhere/my_service", 0x1000, 0x9000, 0x1000);
    stream.Function(0x1100, "_ZN3app3runEv", 1).Add(1, records, 1000);
    BlockParser parser{std::string_view(stream.bytes())};
    for (Block block; parser.Next(&block);) {
      status.Update(decoder_.Block(block.kind, block.payload, sink));
    }
  }

  CollectingSink sink;
  absl::Status status;

 private:
  SpanDecoder decoder_{DecodeOptions{false, 1, nullptr}};
};

Records ManualRoot() {
  Records records;
  return records.TraceBegin({.root_sequence = 1});
}
Records& Finish(Records& records) {
  return records.Span({.start = 1, .end = 9, .sequence = 1, .flags = format::kSpanManual});
}

TEST_CASE("a manual span has the name and the attributes that were set") {
  Records records = ManualRoot();
  records.Name(1, "Manual Summary Enrichment").StringAttribute(1, "language", "German");
  records.NumberAttribute(1, "count", AttributeType::kInt, int64_t{-7});
  records.NumberAttribute(1, "ratio", AttributeType::kDouble, 0.5);
  records.Attribute(1, "done", AttributeType::kBool, std::string_view("\1", 1));
  const Decoding decoding(Finish(records));
  REQUIRE(decoding.sink.spans.size() == 1);
  const testing::CollectedSpan& span = decoding.sink.spans[0];
  CHECK(span.name == "Manual Summary Enrichment");
  CHECK(span.span.manual);
  CHECK(span.span.function == nullptr);
  const std::vector<Attribute> expected = {
      {"language", "German"}, {"count", int64_t{-7}}, {"ratio", 0.5}, {"done", true}};
  CHECK(span.span.attributes == expected);
}

TEST_CASE("the later value of a key wins and keeps the first one's place") {
  Records records = ManualRoot();
  records.StringAttribute(1, "a", "1").StringAttribute(1, "b", "2");
  records.NumberAttribute(1, "a", AttributeType::kInt, int64_t{3});
  const Decoding decoding(Finish(records));
  const std::vector<Attribute> expected = {{"a", int64_t{3}}, {"b", "2"}};
  REQUIRE(decoding.sink.spans.size() == 1);
  CHECK(decoding.sink.spans[0].span.attributes == expected);
}

TEST_CASE("many attributes keep their order and their last values") {
  Records records = ManualRoot();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) {
      records.NumberAttribute(1, "key" + std::to_string(i), AttributeType::kInt,
                              int64_t{1000 * round + i});
    }
  }
  const Decoding decoding(Finish(records));
  REQUIRE(decoding.sink.spans.size() == 1);
  const std::vector<Attribute>& attributes = decoding.sink.spans[0].span.attributes;
  REQUIRE(attributes.size() == 100);
  CHECK(attributes[0] == Attribute("key0", int64_t{1000}));
  CHECK(attributes[99] == Attribute("key99", int64_t{1099}));
}

TEST_CASE("a long string is put together from its parts") {
  Records records = ManualRoot();
  records.StringAttribute(1, "text", "one ", true).StringAttribute(1, "text", "two ", true);
  records.StringAttribute(1, "text", "three").StringAttribute(1, "other", "x");
  const Decoding decoding(Finish(records));
  REQUIRE(decoding.sink.spans.size() == 1);
  const std::vector<Attribute> expected = {{"text", "one two three"}, {"other", "x"}};
  CHECK(decoding.sink.spans[0].span.attributes == expected);
}

TEST_CASE("what was set on one span does not show on the next one") {
  Records records = ManualRoot();
  records.Name(2, "child").StringAttribute(2, "a", "1").Stack(2, {0x1200});
  records.Span({.start = 2, .end = 3, .sequence = 2, .parent = 1, .flags = format::kSpanManual});
  records.Span({.function = 0x1100, .start = 4, .end = 5, .sequence = 3, .parent = 1});
  const Decoding decoding(records);
  REQUIRE(decoding.sink.spans.size() == 2);
  CHECK(decoding.sink.spans[0].name == "child");
  CHECK_FALSE(decoding.sink.spans[0].span.stacktrace.empty());
  CHECK(decoding.sink.spans[1].name == "app::run");
  CHECK(decoding.sink.spans[1].span.attributes.empty());
  CHECK(decoding.sink.spans[1].span.stacktrace.empty());
}

TEST_CASE("a stack is one line for each frame, innermost first") {
  Records records;
  records.TraceBegin({.function = 0x1100, .root_sequence = 1}).Stack(1, {0x1201, 0x1301});
  records.Span({.function = 0x1100, .start = 1, .end = 9, .sequence = 1});
  const Decoding decoding(records);
  REQUIRE(decoding.sink.spans.size() == 1);
  CHECK(decoding.sink.spans[0].span.stacktrace == "my_service+0x200\nmy_service+0x300");
}

TEST_CASE("an attribute that claims more bytes than it has is damage, and the span is kept") {
  Records records = ManualRoot();
  format::AttributeHeader header = {};
  header.type = static_cast<uint8_t>(AttributeType::kString);
  header.key_size = 60000;
  records.Extension(format::ExtensionType::kAttribute, 1,
                    {reinterpret_cast<const char*>(&header), sizeof(header)});
  records.Attribute(1, "short", AttributeType::kInt, "123");
  const Decoding decoding(Finish(records));
  CHECK_FALSE(decoding.status.ok());
  REQUIRE(decoding.sink.spans.size() == 1);
  CHECK(decoding.sink.spans[0].span.attributes.empty());
}

TEST_CASE("extensions of a kind from the future are passed over") {
  Records records = ManualRoot();
  records.Extension(static_cast<format::ExtensionType>(99), 1, "???").Name(1, "name");
  const Decoding decoding(Finish(records));
  CHECK(decoding.status.ok());
  REQUIRE(decoding.sink.spans.size() == 1);
  CHECK(decoding.sink.spans[0].name == "name");
}

}  // namespace
}  // namespace autotrace::exporter
