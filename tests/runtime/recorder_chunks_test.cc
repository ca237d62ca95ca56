// Chunks of the ring that fill up, and a ring that is full.
#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

constexpr auto kRingFull = format::Counter::kDroppedRingFull;

FakeProgram::Options SmallRing() {
  FakeProgram::Options options;
  options.ring_size = uint64_t{256} << 10;  // the smallest: chunks of 4 KiB
  return options;
}

TEST_CASE("a chunk change in the middle of a trace repeats the trace and loses nothing") {
  FakeProgram::Options options;
  options.fast_clock = GENERATE(true, false);
  options.callers = GENERATE(true, false);
  FakeProgram program(options);
  const size_t span_bytes = options.callers ? 40 : 32;
  const auto calls = static_cast<int>(5 * program.ring().chunk_data_bytes() / span_bytes);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    for (int i = 0; i < calls; ++i) thread.Call('b');
  });
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();
  CHECK(recorded.spans().size() == static_cast<size_t>(calls) + 1);
  REQUIRE(recorded.traces().size() == 6);
  CHECK((recorded.traces()[0].flags & format::kTraceResumed) == 0);
  for (size_t i = 1; i < recorded.traces().size(); ++i) {
    REQUIRE(recorded.traces()[i].flags == format::kTraceResumed);
    REQUIRE(recorded.traces()[i].begin.root_sequence == recorded.Of('a').at(0).sequence);
    REQUIRE(recorded.traces()[i].begin.start == recorded.traces()[0].begin.start);
  }
}

TEST_CASE("a chunk may end anywhere in a trace") {
  // Extensions of all sizes shift the border over every record kind.
  for (size_t size = 0; size < 200; size += 8) {
    FakeProgram program(SmallRing());
    FakeThread thread(&program);
    thread.Call('a', [&] { thread.Call('b'); });
    const uint64_t shift = thread.recorder().BeginManual(std::string(size, 'x'), 1);
    thread.recorder().EndManual(shift);
    for (int i = 0; i < 30; ++i) {
      thread.Call('a', [&] {
        thread.Call('b', [&] { thread.Call('c'); });
        const uint64_t manual = thread.recorder().BeginManual("m", thread.stack_pointer());
        thread.recorder().EndManual(manual);
      });
      thread.Call('d');
    }
    const RecordedSpans recorded = program.Recorded();
    recorded.CheckConsistency();
    REQUIRE(program.Counted(kRingFull) == 0);
    REQUIRE(recorded.spans().size() == 2 + 1 + 30 * 5);
  }
}

TEST_CASE("what does not fit into a full ring is counted, and nothing else is lost") {
  FakeProgram::Options options = SmallRing();
  options.fast_clock = GENERATE(true, false);
  FakeProgram program(options);
  constexpr size_t kCalls = 20'000;
  {
    FakeThread thread(&program);
    for (size_t i = 0; i < kCalls / 4; ++i) {
      thread.Call('a', [&] {
        thread.Call('b', [&] { thread.Call('c'); });
        thread.Call('c');
      });
    }
  }
  const RecordedSpans recorded = program.Recorded();
  const uint64_t dropped = program.Counted(kRingFull);
  CHECK(dropped > 0);
  CHECK(!recorded.spans().empty());
  CHECK(recorded.spans().size() + dropped == kCalls);
}

TEST_CASE("recording goes on when chunks are free again") {
  FakeProgram program(SmallRing());
  FakeThread thread(&program);
  uint64_t calls = 0;
  uint64_t recorded_spans = 0;
  for (int round = 0; round < 3; ++round) {
    // One trace that is open all the time, so that its spans need a repeated trace begin.
    thread.Call('a', [&] {
      for (int i = 0; i < 10'000; ++i, ++calls) thread.Call('b');
      const uint64_t dropped = program.Counted(kRingFull);
      REQUIRE(dropped > 0);
      const RecordedSpans recorded = program.Recorded();
      recorded_spans += recorded.spans().size();
      program.FreeFullChunks();
      thread.Call('b');
      ++calls;
      REQUIRE(program.Counted(kRingFull) == dropped);
      const RecordedSpans after = program.Recorded();
      REQUIRE(after.spans().size() == 1);
      REQUIRE(after.traces().size() == 1);
      REQUIRE(after.traces()[0].flags == format::kTraceResumed);
      REQUIRE(after.spans()[0].parent == after.traces()[0].begin.root_sequence);
    });
    ++calls;
    thread.recorder().CloseAll(0);
    recorded_spans += program.Recorded().spans().size();
    program.FreeFullChunks();
  }
  CHECK(recorded_spans + program.Counted(kRingFull) == calls);
}

TEST_CASE("extensions that do not fit are not counted as spans") {
  FakeProgram program(SmallRing());
  FakeThread thread(&program);
  uint64_t begun = 0;
  for (int i = 0; i < 5000; ++i, ++begun) {
    const uint64_t span = thread.recorder().BeginManual("manual", 1);
    thread.recorder().WriteAttribute(span, "key", format::AttributeType::kString, "value", 5);
    thread.recorder().EndManual(span);
  }
  const uint64_t dropped = program.Counted(kRingFull);
  CHECK(dropped > 0);
  CHECK(program.Recorded().spans().size() + dropped == begun);
}

TEST_CASE("chunks of a thread are numbered without gaps, also after a full ring") {
  FakeProgram program(SmallRing());
  FakeThread thread(&program);
  uint32_t seen = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10'000; ++i) thread.Call('a', [&] { thread.Call('b'); });
    thread.recorder().CloseAll(0);
    uint32_t highest = seen;
    uint32_t count = 0;
    for (uint32_t i = 0; i < program.ring().chunk_count(); ++i) {
      const format::ChunkHeader& header = program.ring().chunk(i)->header;
      if (header.state.load() == format::ChunkState::kFree) continue;
      ++count;
      highest = std::max(highest, header.chunk_sequence);
    }
    REQUIRE(highest == seen + count);
    seen = highest;
    program.FreeFullChunks();
  }
  CHECK(seen > program.ring().chunk_count());
}

}  // namespace
}  // namespace autotrace::test
