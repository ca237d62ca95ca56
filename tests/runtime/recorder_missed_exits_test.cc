// Exits that no hook announced: exceptions through Clang's code, longjmp, pthread_exit.
#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

TEST_CASE("an outer function's exit ends the calls inside it") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Enter('a');
  thread.Enter('b');
  thread.Enter('c');
  thread.Vanish();
  thread.Vanish();
  thread.Leave('a');
  thread.Call('d');
  CHECK(program.Trees() == "a(b!(c!)) | d");
}

TEST_CASE("a call that vanished is short or long like others") {
  FakeProgram program(EitherClock());
  program.set_threshold(kForever);
  program.Decide('a', kRecorded | decision::kNoThreshold);
  FakeThread thread(&program);
  thread.Enter('a');
  thread.Enter('b');
  thread.Vanish();
  thread.Leave('a');
  CHECK(program.Trees() == "a");
}

TEST_CASE("an entry above dead frames ends them") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.Enter('c');
    thread.Vanish();
    thread.Vanish();
    thread.set_stack_pointer(thread.stack_pointer() + 8);  // d's frame is the smaller one
    thread.Call('d', [&] { thread.Call('e'); });
    thread.set_stack_pointer(thread.stack_pointer() - 8);
  });
  CHECK(program.Trees() == "a(b!(c!) d(e))");
}

TEST_CASE("functions inlined into one another share a frame and end each other by their exits") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Enter('a');
  thread.EnterInlined('b', CallSiteOf('a'));
  thread.EnterInlined('c', CallSiteOf('a'));
  thread.LeaveFrame('c');
  thread.LeaveFrame('b');
  thread.EnterInlined('d', CallSiteOf('a'));
  thread.LeaveFrame('d');
  thread.Leave('a');
  CHECK(program.Trees() == "a(b(c) d)");
}

TEST_CASE("an entry at a dead frame's address, called from elsewhere, ends it") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.EnterInlined('c', CallSiteOf('b'));
    thread.Vanish();
    thread.Call('d', [&] { thread.Call('e'); });
  });
  CHECK(program.Trees() == "a(b!(c!) d(e))");
}

TEST_CASE("calls after a manual span have its frame's address and do not end it") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] {
    const uint64_t span = thread.recorder().BeginManual("span", thread.stack_pointer());
    thread.EnterInlined('b', CallSiteOf('a'));
    thread.LeaveFrame('b');
    thread.Call('c');
    thread.recorder().EndManual(span);
  });
  CHECK(program.Trees() == "a(#[span](b c))");
}

TEST_CASE("dead frames on earlier segments of the shadow stack are found") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program, 4096);
  thread.Call('a', [&] {
    for (int i = 0; i < 500; ++i) thread.Enter('b');
    for (int i = 0; i < 500; ++i) thread.Vanish();
    thread.set_stack_pointer(thread.stack_pointer() + 8);
    thread.Call('c');
    thread.set_stack_pointer(thread.stack_pointer() - 8);
  });
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();
  REQUIRE(recorded.Of('b').size() == 500);
  for (const RecordedSpan& span : recorded.Of('b')) {
    REQUIRE(span.flags == format::kSpanMissedExit);
  }
  CHECK(recorded.Of('c').at(0).parent == recorded.Of('a').at(0).sequence);
}

TEST_CASE("an exit matches the nearest open call of its function") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Enter('a');
  thread.Enter('b');
  thread.Enter('a');
  thread.Enter('b');
  thread.Vanish();
  thread.Leave('a');  // the inner one
  thread.Leave('b');
  thread.Leave('a');
  CHECK(program.Trees() == "a(b(a(b!)))");
}

TEST_CASE("the end of a thread ends what is open") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Enter('a');
  thread.Call('b');
  thread.Enter('c');
  thread.recorder().CloseAll(format::kSpanUnfinished);
  CHECK(program.Trees() == "a~(b c~)");
  // Its chunk is the reader's now.
  CHECK(program.ring().chunk(0)->header.state.load() == format::ChunkState::kFull);
}

}  // namespace
}  // namespace autotrace::test
