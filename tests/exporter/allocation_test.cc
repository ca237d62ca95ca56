// Plain automatic spans are decoded without touching the heap.
#include <stdlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <new>

#include "exporter/block_parser.h"
#include "exporter/span_decoder.h"
#include "tests/exporter/stream_builder.h"

namespace {
std::atomic<uint64_t> g_allocations{0};
}  // namespace

// Replace the ones of the whole test program.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return malloc(size != 0 ? size : 1);
}
void* operator new(size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

namespace autotrace::exporter {
namespace {

using testing::Records;
using testing::StreamBuilder;

TEST_CASE("a plain span allocates nothing once its function and caller are known") {
  struct CountingSink : SpanSink {
    absl::Status Consume(const Span& span) override {
      ++spans;
      named = named && span.name == "app::load" && span.caller != nullptr;
      return absl::OkStatus();
    }
    uint64_t spans = 0;
    bool named = true;
  } sink;
  const auto make = [](uint64_t first, uint64_t count) {
    Records records;
    if (first == 2) records.TraceBegin({.function = 0x1100, .root_sequence = 1});
    for (uint64_t i = first; i < first + count; ++i) {
      records.Span({.function = 0x1200,
                    .start = i,
                    .end = i + 1,
                    .sequence = i,
                    .parent = 1,
                    .call_site = 0x1110});
    }
    return records;
  };
  StreamBuilder stream;
  stream.Process().Clock(0, testing::kEpoch).Module(1, "/nowhere/app", 0x1000, 0x9000);
  stream.Function(0x1200, "_ZN3app4loadEv", 1).Add(1, make(2, 10), 2000);
  StreamBuilder more;
  more.Add(1, make(12, 1000), 2000);

  SpanDecoder decoder(DecodeOptions{false, 1, nullptr});
  Block block;
  BlockParser parser{std::string_view(stream.bytes())};
  while (parser.Next(&block)) REQUIRE(decoder.Block(block.kind, block.payload, sink).ok());
  BlockParser second{std::string_view(more.bytes())};
  REQUIRE(second.Next(&block));
  const uint64_t before = g_allocations;
  const absl::Status status = decoder.Block(block.kind, block.payload, sink);
  const uint64_t allocations = g_allocations - before;
  CHECK(status.ok());
  CHECK(allocations == 0);
  CHECK(sink.spans == 1010);
  CHECK(sink.named);
}

}  // namespace
}  // namespace autotrace::exporter
