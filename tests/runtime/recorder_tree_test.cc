// Calls that nest as calls do become trees.
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "fake_program.h"
#include "runtime/clock.h"
#include "runtime/ids.h"

namespace autotrace::test {
namespace {

TEST_CASE("nested calls become a tree") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] { thread.Call('c'); });
    thread.Call('d');
    thread.Call('e', [&] {
      thread.Call('f');
      thread.Call('f');
    });
  });
  CHECK(program.Trees() == "a(b(c) d e(f f))");
}

TEST_CASE("calls one after the other become traces of their own") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] { thread.Call('b'); });
  thread.Call('c');
  thread.Call('d');
  thread.Call('a', [&] { thread.Call('b'); });
  CHECK(program.Trees() == "a(b) | c | d | a(b)");
}

TEST_CASE("a function called by itself is its own parent's kind") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] { thread.Call('a', [&] { thread.Call('a'); }); });
  CHECK(program.Trees() == "a(a(a))");
}

TEST_CASE("a span holds its function, its call site and its time") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  const uint64_t before = Now();
  thread.Call('a', [&] { thread.Call('b'); });
  const uint64_t after = Now();

  const RecordedSpans recorded = program.Recorded();
  for (const char name : {'a', 'b'}) {
    REQUIRE(recorded.Of(name).size() == 1);
    const RecordedSpan span = recorded.Of(name)[0];
    CHECK(span.call_site == CallSiteOf(name));
    CHECK(span.start >= (before & format::kMask48));
    CHECK(span.end() <= (after & format::kMask48));
    CHECK(span.flags == 0);
  }
}

TEST_CASE("without callers a span is one word shorter") {
  FakeProgram::Options options;
  options.callers = false;
  FakeProgram program(options);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    for (int i = 0; i < 1000; ++i) thread.Call('b');
  });
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();
  CHECK(recorded.spans().size() == 1001);
  for (const RecordedSpan& span : recorded.spans()) REQUIRE(span.call_site == 0);
  CHECK(format::KindOf(program.ring().chunk(0)->data[8]) == format::RecordKind::kSpan);
}

TEST_CASE("a trace begin says which trace the spans after it belong to") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] { thread.Call('b'); });

  const RecordedSpans recorded = program.Recorded();
  REQUIRE(recorded.traces().size() == 1);
  const format::TraceBegin& begin = recorded.traces()[0].begin;
  const RecordedSpan root = recorded.Of('a').at(0);
  CHECK(recorded.traces()[0].flags == 0);
  CHECK(format::AddressOf(begin.head) == FunctionOf('a'));
  CHECK(begin.root_sequence == root.sequence);
  CHECK((begin.start & format::kMask48) == root.start);
  CHECK(begin.call_site == CallSiteOf('a'));
  CHECK(begin.parent_span_id == 0);
  CHECK(begin.parent_sequence == 0);
  uint64_t trace_id[2];
  TraceIdOf(program.shared().secret, root.sequence, trace_id);
  CHECK(begin.trace_id[0] == trace_id[0]);
  CHECK(begin.trace_id[1] == trace_id[1]);
}

TEST_CASE("a root without children needs no trace begin") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.Call('a', [&] { thread.Call('b'); });
  for (int i = 0; i < 100; ++i) thread.Call('c');

  const RecordedSpans recorded = program.Recorded();
  CHECK(recorded.traces().size() == 1);
  REQUIRE(recorded.Of('c').size() == 100);
  for (const RecordedSpan& span : recorded.Of('c')) {
    REQUIRE(span.flags == format::kSpanAlone);
    REQUIRE(span.parent == 0);
  }
}

TEST_CASE("an exit of a function that was never entered changes nothing") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.LeaveFrame('z');
  thread.Call('a', [&] {
    thread.LeaveFrame('z');
    thread.Call('b');
  });
  thread.LeaveFrame('z');
  CHECK(program.Trees() == "a(b)");
}

TEST_CASE("a function is decided about once") {
  FakeProgram program;
  FakeThread thread(&program);
  for (int i = 0; i < 10; ++i) thread.Call('a', [&] { thread.Call('b'); });
  CHECK(FakeProgram::decisions_asked_for() == 2);
}

TEST_CASE("threads have trees and sequences of their own") {
  constexpr int kThreads = 4;
  constexpr int kCalls = 20'000;
  FakeProgram program;
  {
    std::vector<std::unique_ptr<FakeThread>> fakes;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) fakes.push_back(std::make_unique<FakeThread>(&program));
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([thread = fakes[i].get()] {
        for (int call = 0; call < kCalls / 2; ++call) {
          thread->Call('a', [&] { thread->Call('b'); });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  REQUIRE(program.Counted(format::Counter::kDroppedRingFull) == 0);
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();  // also that sequences are unique
  CHECK(recorded.spans().size() == kThreads * kCalls);
  CHECK(recorded.Of('a').size() == recorded.Of('b').size());
}

}  // namespace
}  // namespace autotrace::test
