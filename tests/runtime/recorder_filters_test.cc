// Calls that leave no span, and where their callees go.
#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

// ---- Minimum duration ----

TEST_CASE("calls below the minimum duration leave no span") {
  FakeProgram program(EitherClock());
  program.set_threshold(kForever);
  FakeThread thread(&program);
  thread.Call('a', [&] { thread.Call('b', [&] { thread.Call('c'); }); });
  CHECK(program.Recorded().spans().empty());
  CHECK(program.Recorded().traces().empty());
}

TEST_CASE("ancestors of a kept call are kept whatever their duration") {
  FakeProgram program(EitherClock());
  program.set_threshold(kForever);
  program.Decide('k', kRecorded | decision::kNoThreshold);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('x');
    thread.Call('b', [&] {
      thread.Call('k');
      thread.Call('x');
      thread.Call('k');
    });
    thread.Call('x', [&] { thread.Call('y'); });
  });
  thread.Call('x');
  CHECK(program.Trees() == "a(b(k k))");
}

TEST_CASE("a call of exactly the minimum duration is kept") {
  // Every duration reaches a minimum of 0 ticks, also one of 0 ticks.
  FakeProgram program(EitherClock());
  program.shared().thresholds[5] = 0;
  program.set_threshold(kForever);
  program.Decide('a', kRecorded | 5);
  FakeThread thread(&program);
  for (int i = 0; i < 100; ++i) thread.Call('a');
  CHECK(program.Recorded().spans().size() == 100);
}

TEST_CASE("each function has the minimum of its own pattern") {
  FakeProgram program(EitherClock());
  program.set_threshold(0);
  program.shared().thresholds[126] = kForever;
  program.Decide('s', kRecorded | 126);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('s');
    thread.Call('b');
  });
  CHECK(program.Trees() == "a(b)");
}

// ---- Hidden functions ----

TEST_CASE("callees of a hidden function attach to the nearest recorded ancestor") {
  FakeProgram program(EitherClock());
  program.Decide('h', decision::kKnown);
  FakeThread thread(&program);
  thread.Call('h', [&] {
    thread.Call('a', [&] {
      thread.Call('h', [&] {
        thread.Call('b');
        thread.Call('h', [&] { thread.Call('c'); });
      });
      thread.Call('d');
    });
  });
  CHECK(program.Trees() == "a(b c d)");
}

TEST_CASE("a hidden subtree leaves no span, and what follows it does") {
  FakeProgram program(EitherClock());
  program.Decide('h', decision::kKnown | decision::kHideSubtree);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b');
    thread.Call('h', [&] {
      thread.Call('c', [&] { thread.Call('h', [&] { thread.Call('d'); }); });
      thread.Call('e');
    });
    thread.Call('f');
  });
  CHECK(program.Trees() == "a(b f)");
}

TEST_CASE("a hidden subtree ends when its exit is missed") {
  FakeProgram program(EitherClock());
  program.Decide('h', decision::kKnown | decision::kHideSubtree);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] {
      thread.Enter('h');
      thread.Enter('c');
      thread.Vanish();
      thread.Vanish();
    });
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(b d)");
}

TEST_CASE("a manual span in a hidden subtree is hidden with it") {
  FakeProgram program(EitherClock());
  program.Decide('h', decision::kKnown | decision::kHideSubtree);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Call(
        'h', [&] { CHECK(thread.recorder().BeginManual("hidden", thread.stack_pointer()) == 0); });
  });
  CHECK(program.Trees() == "a");
}

TEST_CASE("a manual span after a hidden subtree whose exit was missed is not hidden") {
  FakeProgram program(EitherClock());
  program.Decide('h', decision::kKnown | decision::kHideSubtree);
  FakeThread thread(&program);
  thread.Call('a', [&] {
    thread.Enter('h');
    thread.Vanish();
    thread.recorder().EndManual(thread.recorder().BeginManual("seen", thread.stack_pointer()));
  });
  CHECK(program.Trees() == "a(#[seen])");
}

// ---- Depth ----

TEST_CASE("calls deeper than max_depth leave no span") {
  FakeProgram program(EitherClock());
  program.shared().max_depth = 2;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    program.Decide(name, kRecorded | decision::kDepthLimited);
  }
  FakeThread thread(&program);
  for (int i = 0; i < 2; ++i) {
    thread.Call('a', [&] {
      thread.Call('b', [&] { thread.Call('c', [&] { thread.Call('d'); }); });
      thread.Call('e');
    });
  }
  CHECK(program.Trees() == "a(b e) | a(b e)");
}

// ---- Functions that are measured until they were slow once ----

TEST_CASE("a measured function is recorded from its first long call on") {
  FakeProgram program(EitherClock());
  program.set_threshold(kForever);
  program.Decide('a', kRecorded | decision::kNoThreshold);
  program.Decide('m', kRecorded | decision::kMeasured);
  FakeThread thread(&program);
  thread.Call('a', [&] { thread.Call('m'); });  // short
  program.set_threshold(0);
  thread.Call('a', [&] { thread.Call('m', [&] { thread.Call('a'); }); });  // long
  program.set_threshold(kForever);
  thread.Call('a', [&] { thread.Call('m', [&] { thread.Call('a'); }); });  // short again
  CHECK(program.Trees() == "a | a(m(a)) | a(m(a))");
}

TEST_CASE("a measured call that was never long is kept as the parent of a kept one") {
  FakeProgram program(EitherClock());
  program.set_threshold(kForever);
  program.Decide('m', kRecorded | decision::kMeasured);
  program.Decide('b', kRecorded | decision::kNoThreshold);
  FakeThread thread(&program);
  thread.Call('m', [&] { thread.Call('b'); });
  thread.Call('m');
  CHECK(program.Trees() == "m(b)");
}

// ---- Threads' entry functions ----

TEST_CASE("a thread's entry function is no span when it is told to be none") {
  FakeProgram program(EitherClock());
  program.shared().is_thread_entry = [](uint64_t, uint64_t) { return true; };
  program.Decide('e', kRecorded | decision::kNamedExactly);
  {
    FakeThread thread(&program);
    thread.Call('m', [&] {
      thread.Call('a', [&] { thread.Call('b'); });
      thread.Call('a');
    });
  }
  {
    FakeThread thread(&program);
    thread.Call('e', [&] { thread.Call('a'); });  // unless a pattern names it exactly
  }
  CHECK(program.Trees() == "a(b) | a | e(a)");
}

TEST_CASE("only a thread's first call is taken for its entry function") {
  FakeProgram program(EitherClock());
  static uint64_t asked_about = 0;
  program.shared().is_thread_entry = [](uint64_t frame_address, uint64_t) {
    asked_about = frame_address;
    return false;
  };
  FakeThread thread(&program);
  thread.Enter('a');
  const uint64_t first = thread.stack_pointer();
  thread.Call('b');
  thread.Leave('a');
  thread.Call('c');
  CHECK(asked_about == first);
  CHECK(program.Trees() == "a(b) | c");
}

// ---- Functions that are counted ----

TEST_CASE("calls that are not kept are counted, and one that is ends it") {
  FakeProgram program(EitherClock());
  ShortCalls& calls = program.shared().short_calls;
  REQUIRE(calls.Initialize());
  calls.set_limit(100);
  program.shared().slow_once_is_slow = false;
  program.set_threshold(kForever);
  for (const char name : {'a', 'b', 'c'}) program.Decide(name, kRecorded | decision::kMeasured);
  program.Decide('n', kRecorded | decision::kMeasured | decision::kNamedExactly);
  program.Decide('k', kRecorded | decision::kNoThreshold);
  FakeThread thread(&program);
  for (int i = 0; i < 10; ++i) {
    thread.Call('a');
    thread.Call('b');
    thread.Call('c');
    thread.Call('n');
  }
  thread.Call('b', [&] { thread.Call('k'); });
  for (int i = 0; i < 10; ++i) thread.Call('b');
  CHECK(calls.CallsOf(FunctionOf('a')) == 10);
  CHECK(calls.CallsOf(FunctionOf('n')) == 0);
  CHECK(calls.CallsOf(FunctionOf('b')) == 10);
  program.set_threshold(0);
  thread.Call('c');
  program.set_threshold(kForever);
  thread.Call('c');
  // Slow once is not slow each time.
  CHECK(program.Trees() == "b(k) | c");
  CHECK(calls.CallsOf(FunctionOf('c')) == 10);
}

TEST_CASE("a decision that was stored after its function fell quiet is mended by the next call") {
  FakeProgram program(EitherClock());
  ShortCalls& calls = program.shared().short_calls;
  REQUIRE(calls.Initialize());
  calls.set_limit(100);
  program.set_threshold(kForever);
  FakeThread thread(&program);
  thread.Call('q');
  calls.MakeQuiet(FunctionOf('q'));
  program.Decide('q', kRecorded | decision::kMeasured);
  thread.Call('q');
  CHECK(DecisionOf(program.shared().decisions.Lookup(FunctionOf('q'))) == decision::kKnown);
}

}  // namespace
}  // namespace autotrace::test
