// Recursion deeper than any fixed array.
#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

constexpr int kDepth = 300'000;

uint64_t DeepFunction(int depth) { return 0x1000'0000 + uint64_t(depth) * 16; }
// One frame is 16 bytes here: the stack of 300,000 frames is 4.8 MB.
uint64_t DeepFrame(int depth) { return FakeThread::kStackEnd - 8192 - uint64_t(depth) * 16; }

// Every span's parent must be the call one level up.
void CheckChain(const RecordedSpans& recorded, int depth) {
  recorded.CheckConsistency();
  std::vector<const RecordedSpan*> by_depth(depth, nullptr);
  for (const RecordedSpan& span : recorded.spans()) {
    const auto at = static_cast<int>((span.function - DeepFunction(0)) / 16);
    REQUIRE(at < depth);
    REQUIRE(by_depth[at] == nullptr);
    by_depth[at] = &span;
  }
  REQUIRE(recorded.spans().size() == static_cast<size_t>(depth));
  for (int i = 1; i < depth; ++i) REQUIRE(by_depth[i]->parent == by_depth[i - 1]->sequence);
  CHECK(by_depth[0]->parent == 0);
}

TEST_CASE("recursion of 300,000 calls is recorded with every parent right") {
  FakeProgram::Options options;
  options.ring_size = uint64_t{32} << 20;
  options.fast_clock = GENERATE(true, false);
  FakeProgram program(options);
  FakeThread thread(&program);
  for (int i = 0; i < kDepth; ++i) thread.EnterFunction(DeepFunction(i), 1, DeepFrame(i));
  for (int i = kDepth; i-- > 0;) thread.LeaveFunction(DeepFunction(i));
  REQUIRE(program.Counted(format::Counter::kDroppedRingFull) == 0);
  CheckChain(program.Recorded(), kDepth);
}

TEST_CASE("siblings on both sides of a segment's border have the right parent") {
  // A first segment of a page holds some hundred frames; every call enters a callee twice, so that
  // each border is crossed several times in both directions.
  constexpr int kLevels = 400;
  FakeProgram program;
  FakeThread thread(&program, 4096);
  for (int i = 0; i < kLevels; ++i) {
    thread.EnterFunction(DeepFunction(i), 1, DeepFrame(i));
    thread.EnterFunction(FunctionOf('s'), 1, DeepFrame(i + 1));
    thread.LeaveFunction(FunctionOf('s'));
  }
  for (int i = kLevels; i-- > 0;) {
    thread.EnterFunction(FunctionOf('t'), 1, DeepFrame(i + 1));
    thread.LeaveFunction(FunctionOf('t'));
    thread.EnterFunction(FunctionOf('t'), 1, DeepFrame(i + 1));
    thread.LeaveFunction(FunctionOf('t'));
    thread.LeaveFunction(DeepFunction(i));
  }
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();
  std::map<uint64_t, uint64_t> function_of;
  std::map<uint64_t, std::string> callees;
  for (const RecordedSpan& span : recorded.spans()) function_of[span.sequence] = span.function;
  for (const RecordedSpan& span : recorded.spans()) {
    if (span.parent == 0) continue;
    const char name = span.function == FunctionOf('s')   ? 's'
                      : span.function == FunctionOf('t') ? 't'
                                                         : 'd';
    callees[function_of[span.parent]] += name;
    // A level's parent is the level above it.
    if (name == 'd') REQUIRE(function_of[span.parent] == span.function - 16);
  }
  REQUIRE(callees.size() == kLevels);
  for (const auto& [function, names] : callees) {
    const bool innermost = function == DeepFunction(kLevels - 1);
    // In the order of their ends: a level ends after the callees t of the level below it.
    REQUIRE(names == (innermost ? "stt" : "sdtt"));
  }
}

TEST_CASE("missed exits of a deep recursion are ended across segments") {
  FakeProgram program;
  FakeThread thread(&program, 4096);
  constexpr int kLevels = 2000;
  for (int i = 0; i < kLevels; ++i) thread.EnterFunction(DeepFunction(i), 1, DeepFrame(i));
  thread.LeaveFunction(DeepFunction(0));
  CheckChain(program.Recorded(), kLevels);
  thread.Call('a', [&] { thread.Call('b'); });
  CHECK(program.Recorded().Of('b').at(0).parent == program.Recorded().Of('a').at(0).sequence);
}

TEST_CASE("a hidden subtree that spans segments ends where it should") {
  FakeProgram program;
  program.Decide('h', decision::kKnown | decision::kHideSubtree);
  FakeThread thread(&program, 4096);
  thread.Call('a', [&] {
    thread.Call('h', [&] {
      for (int i = 0; i < 500; ++i) thread.Enter('x');
      for (int i = 0; i < 500; ++i) thread.Leave('x');
    });
    thread.Call('b');
  });
  CHECK(program.Trees() == "a(b)");
}

TEST_CASE("a cut root at a segment's border is a root, and its siblings are children") {
  // Wherever the border lies, one of these depths puts the root right above it.
  for (int depth = 40; depth < 110; ++depth) {
    FakeProgram program;
    program.Decide('r', kRecorded | decision::kStartsTrace);
    FakeThread thread(&program, 4096);
    for (int i = 0; i < depth; ++i) thread.Enter('a');
    thread.Call('b');
    thread.Call('r', [&] { thread.Call('c'); });
    thread.Call('b');
    for (int i = 0; i < depth; ++i) thread.Leave('a');
    const RecordedSpans recorded = program.Recorded();
    recorded.CheckConsistency();
    REQUIRE(recorded.Of('r').at(0).parent == 0);
    REQUIRE(recorded.Of('c').at(0).parent == recorded.Of('r').at(0).sequence);
    REQUIRE(recorded.Of('b').at(0).parent == recorded.Of('a').front().sequence);
    REQUIRE(recorded.Of('b').at(1).parent == recorded.Of('a').front().sequence);
  }
}

TEST_CASE("a recorder that gave memory back can recurse again") {
  FakeProgram program;
  FakeThread thread(&program, 4096);
  for (int round = 0; round < 3; ++round) {
    thread.Enter('a');
    for (int i = 0; i < 1000; ++i) thread.Enter('b');
    for (int i = 0; i < 1000; ++i) thread.Leave('b');
    thread.Leave('a');
    thread.recorder().Trim();
  }
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();
  CHECK(recorded.spans().size() == 3 * 1001);
}

}  // namespace
}  // namespace autotrace::test
