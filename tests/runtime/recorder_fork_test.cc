// What a forked child makes of the frames that its parent had open.
#include <catch2/catch.hpp>

#include "fake_program.h"
#include "runtime/ids.h"

namespace autotrace::test {
namespace {

// As Session does: the parent pins, the child has a new ring, a new secret, and the parent's secret
// to name its spans by. Returns what the parent had recorded by then.
RecordedSpans Fork(FakeProgram* program, FakeThread* thread) {
  thread->recorder().PinCurrent();
  const RecordedSpans of_parent = program->Recorded();
  program->FreeAllChunks();
  const IdSecret parent = program->shared().secret;
  program->shared().secret = {{~parent.key[0], parent.key[1] + 1}};
  thread->recorder().AfterFork(parent, 1);
  return of_parent;
}

TEST_CASE("a span that forks is kept, and so are its ancestors") {
  FakeProgram program;
  program.set_threshold(kForever);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] {
      thread.recorder().PinCurrent();
      thread.Call('c');
    });
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(b)");
}

TEST_CASE("pinning outside of any span does nothing") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.recorder().PinCurrent();
  CHECK(program.Recorded().traces().empty());
}

TEST_CASE("a forked child's first spans continue below the span that forked") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.Enter('a');
  thread.Enter('b');
  const IdSecret parent_secret = program.shared().secret;
  const RecordedSpans of_parent = Fork(&program, &thread);
  REQUIRE(of_parent.traces().size() == 1);
  thread.Call('c', [&] { thread.Call('d'); });
  thread.Call('e');
  thread.Leave('b');
  thread.Call('f');
  thread.Leave('a');

  const RecordedSpans recorded = program.Recorded();
  // The parent's own frames are no spans here.
  CHECK(recorded.Trees() == "c(d) | e | f");
  uint64_t parents_trace[2];
  TraceIdOf(parent_secret, of_parent.traces()[0].begin.root_sequence, parents_trace);
  int remote = 0;
  for (const RecordedTrace& trace : recorded.traces()) {
    if ((trace.flags & format::kTraceRemoteParent) == 0) continue;
    ++remote;
    CHECK(trace.begin.trace_id[0] == parents_trace[0]);
    CHECK(trace.begin.trace_id[1] == parents_trace[1]);
    // b's sequence is the second one that was given away: a's trace was begun first.
    CHECK(trace.begin.parent_span_id ==
          SpanIdOf(parent_secret, of_parent.traces()[0].begin.root_sequence + 1));
  }
  CHECK(remote == 3);
}

TEST_CASE("a child that forks again hangs its child below its own span") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.Enter('a');
  const IdSecret first = program.shared().secret;
  const uint64_t trace_root = Fork(&program, &thread).traces().at(0).begin.root_sequence;
  thread.Enter('b');
  const IdSecret second = program.shared().secret;
  const uint64_t sequence_of_b = Fork(&program, &thread).traces().at(0).begin.root_sequence;
  thread.Call('c');

  const RecordedSpans recorded = program.Recorded();
  const RecordedTrace last = recorded.traces().back();
  uint64_t trace_id[2];
  TraceIdOf(first, trace_root, trace_id);
  CHECK(last.begin.trace_id[0] == trace_id[0]);
  CHECK(last.begin.trace_id[1] == trace_id[1]);
  CHECK(last.begin.parent_span_id == SpanIdOf(second, sequence_of_b));
}

TEST_CASE("a root cut out in a forked child has no remote parent") {
  FakeProgram program;
  program.Decide('r', kRecorded | decision::kStartsTrace);
  FakeThread thread(&program);
  thread.Enter('a');
  Fork(&program, &thread);
  thread.Call('b', [&] { thread.Call('r', [&] { thread.Call('c'); }); });
  const RecordedSpans recorded = program.Recorded();
  for (const RecordedTrace& trace : recorded.traces()) {
    if (format::AddressOf(trace.begin.head) != FunctionOf('r')) continue;
    CHECK(trace.flags == format::kTraceCut);
    CHECK(trace.begin.parent_span_id == 0);
  }
  CHECK(program.Trees() == "b | r(c)");
}

TEST_CASE("a child forked outside of any span begins traces of its own") {
  FakeProgram program;
  FakeThread thread(&program);
  Fork(&program, &thread);
  thread.Call('a', [&] { thread.Call('b'); });
  const RecordedSpans recorded = program.Recorded();
  CHECK(recorded.Trees() == "a(b)");
  REQUIRE(recorded.traces().size() == 1);
  CHECK(recorded.traces()[0].flags == 0);
}

TEST_CASE("depth is counted anew in a forked child") {
  FakeProgram program;
  program.shared().max_depth = 2;
  program.set_threshold(kForever);
  for (const char name : {'a', 'b', 'c', 'd'}) {
    program.Decide(name, kRecorded | decision::kDepthLimited | decision::kNoThreshold);
  }
  program.Decide('m', kRecorded | decision::kDepthLimited | decision::kMeasured);
  FakeThread thread(&program);
  thread.Enter('a');
  thread.Enter('m');
  thread.Enter('b');
  Fork(&program, &thread);
  thread.Leave('b');
  thread.Leave('m');
  thread.Leave('a');
  thread.Call('a', [&] { thread.Call('b', [&] { thread.Call('c'); }); });
  CHECK(program.Trees() == "a(b)");
}

TEST_CASE("a manual span of the parent cannot be ended in the child") {
  FakeProgram program;
  FakeThread thread(&program);
  const uint64_t manual = thread.recorder().BeginManual("parent's", thread.stack_pointer());
  Fork(&program, &thread);
  thread.recorder().EndManual(manual);
  thread.Call('a');
  CHECK(program.Trees() == "a");
  CHECK(program.Recorded().traces().back().flags == format::kTraceRemoteParent);
}

}  // namespace
}  // namespace autotrace::test
