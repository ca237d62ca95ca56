// Exceptions and jumps as the unwinder and the C++ library tell of them.
#include <string.h>

#include <catch2/catch.hpp>

#include "fake_program.h"

namespace autotrace::test {
namespace {

TEST_CASE("calls that an exception left are errors, those that caught it are not") {
  FakeProgram program;
  FakeThread thread(&program);
  const int object = 0;
  SECTION("with exit hooks, as GCC's code has") {
    thread.Call('a', [&] {
      thread.Enter('b');
      thread.Enter('c');
      thread.Throw(&object);
      thread.Unwind(0, &object);
      thread.Leave('c');
      thread.Unwind(0, &object);
      thread.Leave('b');
      thread.Unwind(0, &object);
      thread.Catch(&object);
      thread.Call('d');
    });
  }
  SECTION("without, as Clang's") {
    thread.Call('a', [&] {
      thread.Enter('b');
      thread.Enter('c');
      thread.Throw(&object);
      thread.Unwind(2, &object);
      thread.Catch(&object);
      thread.Call('d');
    });
  }
  CHECK(program.Trees() == "a(b*(c*) d)");
}

TEST_CASE("calls of destructors on the way of an exception are calls of the frame they belong to") {
  FakeProgram program;
  FakeThread thread(&program);
  const int object = 0;
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.Enter('c');
    thread.Throw(&object);
    thread.Unwind(1, &object);  // b cleans up
    thread.Call('d', [&] { thread.Call('e'); });
    thread.Unwind(1, &object);
    thread.Catch(&object);
  });
  CHECK(program.Trees() == "a(b*(c* d(e)))");
}

TEST_CASE("an exception inside a destructor does not touch the one on its way") {
  FakeProgram program;
  FakeThread thread(&program);
  const int first = 0;
  const int second = 0;
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.Throw(&first);
    thread.Unwind(0, &first);
    thread.Call('d', [&] {
      thread.Enter('e');
      thread.Throw(&second);
      thread.Unwind(1, &second);
      thread.Catch(&second);
    });
    thread.Unwind(1, &first);
    thread.Catch(&first);
  });
  CHECK(program.Trees() == "a(b*(d(e*)))");
}

TEST_CASE("an exception that is thrown again is the same one") {
  FakeProgram program;
  FakeThread thread(&program);
  const int object = 0;
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.Enter('c');
    thread.Throw(&object);
    thread.Unwind(1, &object);
    thread.Catch(&object);
    thread.Throw(&object, /*again=*/true);
    thread.Unwind(1, &object);
    thread.Catch(&object);
  });
  CHECK(program.Trees() == "a(b*(c*))");
  const RecordedSpans recorded = program.Recorded();
  uint64_t ids[2] = {};
  REQUIRE(recorded.extensions().size() == 2);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(recorded.extensions()[i].type == format::ExtensionType::kException);
    memcpy(&ids[i], recorded.extensions()[i].payload.data(), sizeof(uint64_t));
  }
  CHECK(ids[0] == ids[1]);
}

TEST_CASE("of functions inlined into one another those without an exit were left") {
  FakeProgram program;
  FakeThread thread(&program);
  const int object = 0;
  SECTION("the outer one caught it") {
    thread.Enter('a');
    thread.EnterInlined('b', CallSiteOf('a'));
    thread.Throw(&object);
    thread.Unwind(0, &object);
    thread.Catch(&object);
    thread.Leave('a');
    CHECK(program.Trees() == "a(b*)");
  }
  SECTION("the inner one caught it") {
    thread.Enter('a');
    thread.EnterInlined('b', CallSiteOf('a'));
    thread.Throw(&object);
    thread.Unwind(0, &object);
    thread.Catch(&object);
    thread.LeaveFrame('b');
    thread.Leave('a');
    CHECK(program.Trees() == "a(b)");
  }
}

TEST_CASE("an exception that neither its throw nor its catch told of ends where a handler begins") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.set_catch_is_told(false);
  const int object = 0;
  SECTION("in a call that it left others for") {
    thread.Call('a', [&] {
      thread.Enter('b');
      thread.Enter('c');
      thread.Unwind(1, &object);
      thread.Unwind(1, &object, /*is_handler=*/true);
      thread.Call('d');
    });
    CHECK(program.Trees() == "a(b*(c*) d)");
  }
  SECTION("in the call that threw it") {
    thread.Call('a', [&] { thread.Unwind(0, &object, /*is_handler=*/true); });
    CHECK(program.Trees() == "a");
  }
}

TEST_CASE("calls left by an exception are kept however short, when that is wanted") {
  FakeProgram program;
  program.set_threshold(kForever);
  program.shared().keep_errors = GENERATE(true, false);
  FakeThread thread(&program);
  const int object = 0;
  thread.Call('a', [&] {
    thread.Enter('b');
    thread.Throw(&object);
    thread.Unwind(1, &object);
    thread.Catch(&object);
  });
  CHECK(program.Trees() == (program.shared().keep_errors ? "a(b*)" : ""));
}

TEST_CASE("an exception passes frames across segments of the shadow stack") {
  FakeProgram program;
  program.Decide('r', kRecorded);
  FakeThread thread(&program, /*shadow_bytes=*/4096);
  const int object = 0;
  const int kCalls = 1000;
  thread.Enter('a');
  for (int i = 0; i < kCalls; ++i) thread.Enter('r');
  thread.Throw(&object);
  thread.Unwind(kCalls, &object);
  thread.Catch(&object);
  thread.Call('d');
  thread.Leave('a');
  const auto left = program.Recorded().Of('r');
  REQUIRE(left.size() == kCalls);
  for (const RecordedSpan& span : left) CHECK(span.flags == format::kSpanError);
  CHECK(program.Recorded().Of('d')[0].parent == program.Recorded().Of('a')[0].sequence);
}

TEST_CASE("a jump ends the calls that it leaves, which are no errors") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.Call('a', [&] {
    const uint64_t target = thread.stack_pointer();
    thread.Enter('b');
    thread.Enter('c');
    thread.recorder().JumpedTo(target);
    thread.set_stack_pointer(target);
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(b!(c!) d)");
}

TEST_CASE("more exceptions at once than are remembered lose details and nothing else") {
  FakeProgram program;
  FakeThread thread(&program);
  const int objects[6] = {};
  thread.Enter('a');
  for (int i = 0; i < 6; ++i) {
    thread.Enter(static_cast<char>('b' + i));
    thread.Throw(&objects[i]);
    thread.Unwind(0, &objects[i]);
  }
  for (int i = 5; i >= 0; --i) {
    thread.Unwind(1, &objects[i]);
    thread.Catch(&objects[i]);
  }
  thread.Leave('a');
  CHECK(program.Recorded().spans().size() == 7);
  CHECK(program.Recorded().Of('a')[0].flags == 0);
}

}  // namespace
}  // namespace autotrace::test
