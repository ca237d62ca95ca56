// A signal handler that interrupts a hook, at the points where the hook's recorder can be.
#include <array>
#include <catch2/catch.hpp>

#include "fake_program.h"
#include "runtime/memory.h"

namespace autotrace::test {
namespace {

// A thread whose hooks can be interrupted.
class InterruptedThread : public FakeThread {
 public:
  explicit InterruptedThread(FakeProgram* program) : FakeThread(program) {
    for (size_t i = 0; i < inner_.size(); ++i) {
      memory_[i] = MapMemory(4096);
      inner_[i].Initialize(&program->shared(), program->NextThreadIndex(),
                           StackSegment::Place(memory_[i], 4096),
                           {kStackEnd - kStackBytes, kStackEnd}, ThreadId());
    }
    recorder().set_inner(&inner_[0], &inner_[1]);
  }
  ~InterruptedThread() {
    for (size_t i = 0; i < inner_.size(); ++i) {
      inner_[i].CloseAll(format::kSpanMissedExit);
      UnmapMemory(memory_[i], 4096);
    }
  }
  // What a handler calls while an entry hook is at its beginning.
  void InterruptEntry(char name) { Handle(&inner_[0], name); }
  // While another one is, an exit's for example: before the call has ended, or after.
  void InterruptExit(char name) { Handle(&inner_[1], name); }
  void HandlerEnters(char name) { inner_[1].Enter(FunctionOf(name), 1, stack_pointer() - 512); }

 private:
  void Handle(Recorder* inner, char name) {
    const uint64_t frame_address = stack_pointer() - 512;
    if (!inner->EnterFast(FunctionOf(name), 1, frame_address)) {
      inner->Enter(FunctionOf(name), 1, frame_address);
    }
    if (!inner->LeaveFast(FunctionOf(name), frame_address)) {
      inner->Leave(FunctionOf(name), frame_address);
    }
  }

  std::array<Recorder, 2> inner_;
  std::array<void*, 2> memory_;
};

TEST_CASE("a handler that interrupts an entry stands below the caller") {
  FakeProgram program(EitherClock());
  InterruptedThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] { thread.InterruptEntry('h'); });
    thread.InterruptEntry('i');
    thread.InterruptEntry('j');
  });
  CHECK(program.Trees() == "a(b(@h) @i @j)");
}

TEST_CASE("a handler that interrupts the beginning of an exit stands in the call that will end") {
  FakeProgram program(EitherClock());
  InterruptedThread thread(&program);
  thread.Enter('a');
  thread.Enter('b');
  thread.InterruptExit('h');
  thread.Leave('b');
  thread.Leave('a');
  CHECK(program.Trees() == "a(b(@h))");
}

TEST_CASE("a handler that interrupts the end of an exit stands beside the call that has ended") {
  FakeProgram program(EitherClock());
  InterruptedThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b');
    thread.InterruptExit('h');
    thread.Call('c', [&] {
      thread.Call('d');
      thread.Call('e');
      thread.InterruptExit('i');
    });
    thread.InterruptExit('j');
  });
  thread.InterruptExit('k');
  CHECK(program.Trees() == "a(b @h c(d e @i) @j) | k");
}

TEST_CASE("what a handler in a hook stands below is kept, however short") {
  FakeProgram program(EitherClock());
  program.set_threshold(kForever);
  program.Decide('h', kRecorded | decision::kNoThreshold);
  InterruptedThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b', [&] {
      thread.InterruptEntry('h');
      thread.Call('c');
    });
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(b(@h))");
}

TEST_CASE("a handler in a hook finds a trace that has begun, and one that goes on") {
  FakeProgram program(EitherClock());
  InterruptedThread thread(&program);
  thread.Call('a', [&] {
    thread.Call('b');
    thread.InterruptEntry('h');
    thread.Call('c', [&] { thread.Call('d'); });
  });
  thread.InterruptEntry('i');
  thread.Call('e');
  CHECK(program.Trees() == "a(b @h c(d)) | i | e");
}

TEST_CASE("a handler in a hook of a thread without open calls continues what started the thread") {
  FakeProgram program;
  InterruptedThread thread(&program);
  OuterParent starter;
  starter.trace_id[0] = starter.trace_id[1] = 7;
  starter.sequence = 99;
  thread.recorder().set_outer_parent(starter);
  thread.InterruptEntry('h');
  const RecordedSpans recorded = program.Recorded();
  REQUIRE(recorded.traces().size() == 1);
  CHECK(recorded.traces()[0].begin.parent_sequence == 99);
}

TEST_CASE("what a handler left open when it jumped away is ended by the next one in a hook") {
  FakeProgram program(EitherClock());
  InterruptedThread thread(&program);
  thread.Call('a', [&] {
    thread.HandlerEnters('h');
    thread.Call('b');
    thread.set_stack_pointer(thread.stack_pointer() + 8);
    thread.InterruptExit('i');
    thread.set_stack_pointer(thread.stack_pointer() - 8);
  });
  const RecordedSpans recorded = program.Recorded();
  REQUIRE(recorded.Of('h').size() == 1);
  CHECK(recorded.Of('h')[0].flags == format::kSpanMissedExit);
  CHECK(recorded.Of('i').size() == 1);
}

}  // namespace
}  // namespace autotrace::test
