// Functions that `roots:` makes the root of a trace of their own.
#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

constexpr uint16_t kRoot = kRecorded | decision::kStartsTrace;

TEST_CASE("a root is cut out of the trace it was called in") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b');
    thread.Call('r', [&] { thread.Call('c', [&] { thread.Call('d'); }); });
    thread.Call('e');
    thread.Call('r');
    thread.Call('f', [&] { thread.Call('g'); });
  });
  CHECK(program.Trees() == "a(b e f(g)) | r(c(d)) | r");
}

TEST_CASE("a cut trace says so, and the outer one is resumed after it") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b');
    thread.Call('r', [&] { thread.Call('c'); });
    thread.Call('d');
  });
  const RecordedSpans recorded = program.Recorded();
  REQUIRE(recorded.traces().size() == 3);
  const uint64_t outer = recorded.Of('a').at(0).sequence;
  const uint64_t cut = recorded.Of('r').at(0).sequence;
  CHECK(recorded.traces()[0].begin.root_sequence == outer);
  CHECK(recorded.traces()[0].flags == 0);
  CHECK(recorded.traces()[1].begin.root_sequence == cut);
  CHECK(recorded.traces()[1].flags == format::kTraceCut);
  CHECK(recorded.traces()[2].begin.root_sequence == outer);
  CHECK(recorded.traces()[2].flags == format::kTraceResumed);
  CHECK(recorded.traces()[2].begin.trace_id[0] == recorded.traces()[0].begin.trace_id[0]);
  CHECK(recorded.traces()[1].begin.trace_id[0] != recorded.traces()[0].begin.trace_id[0]);
}

TEST_CASE("recursion of a root stays in its trace") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('r',
                [&] { thread.Call('b', [&] { thread.Call('r', [&] { thread.Call('r'); }); }); });
    thread.Call('c');
  });
  CHECK(program.Trees() == "a(c) | r(b(r(r)))");
}

TEST_CASE("recursion of a root that nothing recorded called stays in its trace") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  FakeThread thread(&program);
  thread.Call('r', [&] {
    thread.Call('a');
    thread.Call('r', [&] { thread.Call('b'); });
  });
  CHECK(program.Trees() == "r(a r(b))");
}

TEST_CASE("roots inside roots") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  program.Decide('s', kRoot);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('r', [&] {
      thread.Call('b');
      thread.Call('s', [&] { thread.Call('c'); });
      thread.Call('d');
    });
    thread.Call('e');
  });
  CHECK(program.Trees() == "a(e) | r(b d) | s(c)");
}

TEST_CASE("a short root leaves no span and does not disturb the outer trace") {
  FakeProgram program(EitherClock());
  program.shared().thresholds[1] = kForever;
  program.Decide('r', kRoot | 1);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b');
    thread.Call('r');
    thread.Call('c');
  });
  CHECK(program.Trees() == "a(b c)");
}

TEST_CASE("a trace that first speaks inside a cut one is announced before its own spans") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  program.set_threshold(kForever);
  program.Decide('r', kRoot | decision::kNoThreshold);
  program.Decide('k', kRecorded | decision::kNoThreshold);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('r', [&] { thread.Call('k'); });
    thread.Call('b', [&] { thread.Call('k'); });
  });
  CHECK(program.Trees() == "a(b(k)) | r(k)");
}

TEST_CASE("a cut trace ends when its root's exit is missed") {
  FakeProgram program(EitherClock());
  program.Decide('r', kRoot);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] {
      thread.Enter('r');
      thread.Call('c');
      thread.Vanish();
    });
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(b d) | r!(c)");
}

}  // namespace
}  // namespace autotrace::test
