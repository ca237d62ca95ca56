// Threads that run on several machine stacks which nobody announced: what tells them apart is where
// calls lie.
#include <array>
#include <catch2/catch.hpp>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "fake_program.h"
#include "runtime/memory.h"

namespace autotrace::test {
namespace {

constexpr uint64_t kHeap = 0x5555'8000'0000;
constexpr uint64_t kMapped = 0x7f00'0000'0000;
constexpr uint64_t kAbove = FakeThread::kStackEnd + 0x10'0000;
constexpr uint64_t kFrame = FakeThread::kFrameBytes;

// A thread that goes to other stacks and back: each keeps its place.
class Fiber {
 public:
  explicit Fiber(uint64_t base) : stack_pointer_(base) {}
  template <typename Body>
  void Run(FakeThread* thread, Body body) {
    const uint64_t caller = thread->stack_pointer();
    thread->set_stack_pointer(stack_pointer_);
    body();
    stack_pointer_ = thread->stack_pointer();
    thread->set_stack_pointer(caller);
  }

 private:
  uint64_t stack_pointer_;
};

TEST_CASE("calls on a stack that nobody announced nest among themselves") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber fiber(GENERATE(kHeap, kMapped, kAbove));
  thread.Call('a', [&] {
    fiber.Run(&thread, [&] { thread.Enter('b'); });
    thread.Call('c');  // back on the first stack, b is waiting
    fiber.Run(&thread, [&] {
      thread.Call('d');
      thread.Leave('b');
    });
    thread.Call('e');
  });
  CHECK(program.Trees() == "a(@b(d) c e)");
}

TEST_CASE("an exit right after a switch ends the call of its own stack") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber fiber(GENERATE(kHeap, kAbove));
  Fiber second(kMapped);
  thread.Enter('a');
  fiber.Run(&thread, [&] { thread.Enter('a'); });
  second.Run(&thread, [&] { thread.Enter('a'); });
  fiber.Run(&thread, [&] { thread.Leave('a'); });
  thread.Leave('a');
  second.Run(&thread, [&] { thread.Leave('a'); });
  CHECK(program.Trees() == "a(@a @a)");
  const std::vector<RecordedSpan> ended = program.Recorded().Of('a');
  REQUIRE(ended.size() == 3);
  CHECK(ended[1].parent == 0);
  CHECK(ended[0].start > ended[1].start);  // the first fiber's
  CHECK(ended[2].start > ended[0].start);  // the second one's
}

TEST_CASE("stacks of 16 KiB side by side are told apart") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  constexpr int kStacks = 6;
  const bool downward = GENERATE(true, false);
  std::vector<Fiber> fibers;
  for (int i = 0; i < kStacks; ++i) {
    fibers.emplace_back(kHeap + (downward ? -1 : 1) * i * (16 << 10));
  }
  thread.Call('a', [&] {
    for (Fiber& fiber : fibers) {
      fiber.Run(&thread, [&] {
        thread.Enter('b');
        thread.Call('c');
        thread.Enter('d');
      });
    }
    for (Fiber& fiber : fibers) {
      fiber.Run(&thread, [&] {
        thread.Call('e');
        thread.Leave('d');
      });
      thread.Call('f');
    }
    for (Fiber& fiber : fibers) fiber.Run(&thread, [&] { thread.Leave('b'); });
  });
  CHECK(program.Trees() ==
        "a(@b(c d(e)) @b(c d(e)) @b(c d(e)) @b(c d(e)) @b(c d(e)) @b(c d(e)) f f f f f f)");
}

TEST_CASE("the outermost call on such a stack is a child of the thread's own stack") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber first(kHeap);
  Fiber second(kMapped);
  thread.Call('a', [&] {
    first.Run(&thread, [&] { thread.Enter('b'); });
    // A scheduler without a hook of its own gives the next one its turn.
    second.Run(&thread, [&] { thread.Enter('c'); });
    first.Run(&thread, [&] { thread.Leave('b'); });
    second.Run(&thread, [&] { thread.Leave('c'); });
  });
  CHECK(program.Trees() == "a(@b @c)");
}

TEST_CASE("the noted part of a stack grows with its calls") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber fiber(kHeap);
  constexpr int kDepth = 3000;
  thread.Call('a', [&] {
    fiber.Run(&thread, [&] {
      for (int i = 0; i < kDepth; ++i) thread.Enter('b');
    });
    thread.Call('c');
    fiber.Run(&thread, [&] {
      thread.Call('d');
      for (int i = 0; i < kDepth; ++i) thread.Leave('b');
    });
  });
  const RecordedSpans recorded = program.Recorded();
  recorded.CheckConsistency();
  REQUIRE(recorded.Of('b').size() == kDepth);
  CHECK(recorded.Of('d').at(0).parent == recorded.Of('b').at(0).sequence);
  for (int i = 0; i + 1 < kDepth; ++i) {
    REQUIRE(recorded.Of('b')[0].parent != 0);
    REQUIRE(recorded.Of('b')[static_cast<size_t>(i)].parent ==
            recorded.Of('b')[static_cast<size_t>(i) + 1].sequence);
    if (i == 20) i = kDepth - 20;  // (looking at all of them takes long)
  }
}

TEST_CASE("a call from a function with a large frame stays on its stack") {
  FakeProgram program(EitherClock());
  program.shared().is_inside = [](uint64_t function, uint64_t address) {
    return address == function + 8;
  };
  FakeThread thread(&program);
  Fiber fiber(kHeap);
  constexpr uint64_t kLarge = uint64_t{1} << 20;
  thread.Call('a', [&] {
    fiber.Run(&thread, [&] {
      thread.Enter('b');
      const uint64_t frame = thread.stack_pointer();
      thread.set_stack_pointer(frame - kLarge);
      thread.EnterFunction(FunctionOf('c'), FunctionOf('b') + 8, thread.stack_pointer());
      thread.LeaveFrame('c');
      // Not called by b: on another stack, as far as can be told.
      thread.set_stack_pointer(frame - 2 * kLarge);
      thread.Call('d');
      thread.set_stack_pointer(frame);
      thread.Leave('b');
    });
  });
  CHECK(program.Trees() == "a(@b(c) @d)");
}

TEST_CASE("a very large frame on the thread's own stack is no switch") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Call('a', [&] {
    const uint64_t frame = thread.stack_pointer();
    thread.set_stack_pointer(frame - (uint64_t{6} << 20));
    thread.Call('b');
    thread.set_stack_pointer(frame);
    thread.Call('c');
  });
  CHECK(program.Trees() == "a(b c)");
}

TEST_CASE("an exception proves that what looked like two stacks is one") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber fiber(kHeap);
  const int thrown = 1;
  thread.Call('a', [&] {
    fiber.Run(&thread, [&] {
      thread.Enter('b');
      const uint64_t frame = thread.stack_pointer();
      thread.set_stack_pointer(frame - (64 << 10));  // uninstrumented code with a large frame
      thread.Enter('c');
      thread.Throw(&thrown);
      thread.set_stack_pointer(frame);
      thread.Unwind(0, &thrown);
      thread.Catch(&thrown);
      thread.Leave('b');
    });
  });
  CHECK(program.Trees() == "a(@b @c*)");
}

TEST_CASE("a stack that another thread resumes before the first one noticed that it left") {
  FakeProgram program(EitherClock());
  FakeThread first(&program);
  FakeThread second(&program);
  Fiber fiber(kHeap);
  first.Enter('a');
  fiber.Run(&first, [&] {
    first.Enter('b');
    first.Call('c');
  });
  second.Call('d', [&] {
    fiber.Run(&second, [&] { second.Call('e'); });
    fiber.Run(&second, [&] { second.Leave('b'); });
  });
  first.Call('f');
  first.Leave('a');
  const RecordedSpans recorded = program.Recorded();
  const uint64_t b = recorded.Of('b').at(0).sequence;
  CHECK(recorded.Of('c').at(0).parent == b);
  CHECK(recorded.Of('e').at(0).parent == b);
  CHECK(recorded.Of('f').at(0).parent == recorded.Of('a').at(0).sequence);
  CHECK(recorded.Of('d').at(0).parent == 0);
}

TEST_CASE(
    "a stack to which a thread comes back without a hook in between, after another one's turn") {
  FakeProgram program(EitherClock());
  FakeThread first(&program);
  FakeThread second(&program);
  Fiber fiber(kHeap);
  first.Enter('a');
  fiber.Run(&first, [&] { first.Enter('b'); });
  const bool second_notices = GENERATE(true, false);
  second.Call('g', [&] {
    fiber.Run(&second, [&] {
      second.Call('c');
      second.Leave('b');
      second.Enter('d');
    });
    if (second_notices) second.Call('h');
  });
  fiber.Run(&first, [&] {
    first.Call('e');
    first.Leave('d');
    first.Call('f');
  });
  first.Leave('a');
  CHECK(program.Trees() == std::string("a(@b(c) @d(e) @f) | g") + (second_notices ? "(h)" : ""));
}

TEST_CASE("a stack on which nothing is open is forgotten") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  thread.Enter('a');
  // Ever new places, as those of fibers that live for one request are.
  for (uint64_t i = 0; i < 10'000; ++i) {
    Fiber fiber(kHeap + i * (16 << 10));
    fiber.Run(&thread, [&] { thread.Call('b'); });
  }
  thread.Call('c');
  int known = 0;
  program.shared().stacks.ForEach([&](CallStack*) { ++known; });
  CHECK(known == 0);
  thread.Leave('a');
  CHECK(program.Recorded().Of('b').size() == 10'000);
}

TEST_CASE("a stack that is announced late keeps its calls, and is known exactly from then on") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber fiber(kHeap);
  thread.Call('a', [&] {
    fiber.Run(&thread, [&] { thread.Enter('b'); });
    thread.recorder().StackCreated(kHeap - (64 << 10), kHeap + 64);
    fiber.Run(&thread, [&] {
      const uint64_t frame = thread.stack_pointer();
      thread.set_stack_pointer(frame - (48 << 10));
      thread.Call('c');
      thread.set_stack_pointer(frame);
    });
    thread.Call('d');
    thread.recorder().StackDestroyed(kHeap - (64 << 10));
  });
  CHECK(program.Trees() == "a(@b!(c) d)");
}

TEST_CASE("a stack inside of the thread's own one is known when it is announced") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  constexpr uint64_t kLow = FakeThread::kStackEnd - (uint64_t{2} << 20);
  Fiber fiber(kLow + 4096);
  thread.Call('a', [&] {
    thread.recorder().StackCreated(kLow, kLow + 4096);
    thread.recorder().SwitchToStackOf(kLow + 4095);
    fiber.Run(&thread, [&] { thread.Enter('b'); });
    thread.recorder().SwitchToStackOf(thread.stack_pointer());
    thread.Call('c');
    thread.recorder().SwitchToStackOf(kLow + 4095);
    fiber.Run(&thread, [&] { thread.Leave('b'); });
    thread.recorder().SwitchToStackOf(thread.stack_pointer());
    thread.Call('d');
  });
  CHECK(program.Trees() == "a(@b c d)");
}

TEST_CASE("manual spans on such a stack end where they began") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  Fiber fiber(kHeap);
  thread.Call('a', [&] {
    const uint64_t own = thread.recorder().BeginManual("own", thread.stack_pointer());
    uint64_t span = 0;
    fiber.Run(&thread, [&] {
      span = thread.recorder().BeginManual("fiber", thread.stack_pointer());
      thread.Call('b');
    });
    thread.recorder().SwitchToCaller(thread.stack_pointer());
    thread.recorder().EndManual(own);
    thread.Call('c');
    fiber.Run(&thread, [&] {
      thread.recorder().SwitchToCaller(thread.stack_pointer());
      thread.recorder().EndManual(span);
    });
  });
  CHECK(program.Trees() == "a(#[own](@#[fiber](b)) c)");
}

TEST_CASE("hooks inside a hook on a fiber's stack leave the fiber's calls alone") {
  FakeProgram program(EitherClock());
  FakeThread thread(&program);
  void* memory = MapMemory(4096);
  Recorder inner;
  inner.Initialize(&program.shared(), program.NextThreadIndex(), StackSegment::Place(memory, 4096),
                   {FakeThread::kStackEnd - FakeThread::kStackBytes, FakeThread::kStackEnd}, 1);
  thread.recorder().set_inner(&inner, nullptr);
  Fiber fiber(kHeap);
  const bool announced = GENERATE(true, false);
  thread.Call('a', [&] {
    if (announced) thread.recorder().StackCreated(kHeap - (64 << 10), kHeap + 64);
    fiber.Run(&thread, [&] {
      thread.Enter('b');
      thread.Enter('c');
      const uint64_t handler = thread.stack_pointer() - kFrame;
      inner.Enter(FunctionOf('h'), 1, handler);
      inner.Leave(FunctionOf('h'), handler);
      thread.Call('d');
      thread.Leave('c');
      thread.Leave('b');
    });
  });
  inner.CloseAll(0);
  CHECK(program.Trees() == "a(@b(c(@h d)))");
  UnmapMemory(memory, 4096);
}

TEST_CASE("in a forked child what was open on every stack is the parent's") {
  FakeProgram program;
  FakeThread thread(&program);
  Fiber fiber(kHeap);
  Fiber forks(kMapped);
  thread.Enter('a');
  fiber.Run(&thread, [&] { thread.Enter('b'); });
  forks.Run(&thread, [&] { thread.Enter('c'); });
  thread.recorder().PinCurrent();
  program.FreeAllChunks();
  const IdSecret old_secret = program.shared().secret;
  program.shared().secret = {{1, 2}};
  Recorder::AfterForkOnStacks(&program.shared(), old_secret, &thread.recorder());
  thread.recorder().AfterFork(old_secret, FakeThread::ThreadId());
  forks.Run(&thread, [&] {
    thread.Call('d');
    thread.Leave('c');
  });
  fiber.Run(&thread, [&] {
    thread.Call('e');
    thread.Leave('b');
  });
  thread.Call('f');
  thread.Leave('a');
  const RecordedSpans recorded = program.Recorded();
  CHECK(recorded.Trees() == "d | e | f");
  const auto parent_of = [&](char name) -> uint64_t {
    for (const RecordedTrace& trace : recorded.traces()) {
      if (format::AddressOf(trace.begin.head) == FunctionOf(name))
        return trace.begin.parent_span_id;
    }
    return 0;
  };
  CHECK(parent_of('d') != 0);
  CHECK(parent_of('e') != 0);
  CHECK(parent_of('f') != 0);
}

#if !defined(__SANITIZE_THREAD__)
// A thread that has not noticed yet looks at frames that are the next one's, and then that they are
// not its own: by plain loads, which are what a hook can afford.

// Fibers that several threads take from a queue and put back, as schedulers do. Threads leave them
// without a hook; so the next one often comes before the last one has noticed.
TEST_CASE("threads that hand stacks on lose and mix up nothing") {
  constexpr int kThreads = 4;
  constexpr int kFibers = 16;
  constexpr int kRounds = 2000;
  FakeProgram::Options options;
  options.ring_size = uint64_t{32} << 20;
  FakeProgram program(options);
  std::mutex mutex;
  std::deque<int> waiting;
  std::vector<uint64_t> places;
  for (int i = 0; i < kFibers; ++i) {
    waiting.push_back(i);
    places.push_back(kHeap + static_cast<uint64_t>(i) * (64 << 10));
  }
  std::array<int, kFibers> steps = {};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&] {
      FakeThread thread(&program);
      thread.Enter('a');
      for (int round = 0; round < kRounds; ++round) {
        int fiber = 0;
        {
          const std::lock_guard<std::mutex> lock(mutex);
          if (waiting.empty()) continue;
          fiber = waiting.front();
          waiting.pop_front();
        }
        const auto index = static_cast<size_t>(fiber);
        const char name = static_cast<char>('A' + fiber);
        const uint64_t own = thread.stack_pointer();
        thread.set_stack_pointer(places[index]);
        if (steps[index]++ % 2 == 0) {
          thread.Enter(name);
          thread.Call('x');
        } else {
          thread.Call('x');
          thread.Leave(name);
        }
        places[index] = thread.stack_pointer();
        thread.set_stack_pointer(own);
        {
          const std::lock_guard<std::mutex> lock(mutex);
          waiting.push_back(fiber);
        }
        if (round % 3 == 0) thread.Call('y');
      }
      thread.Leave('a');
    });
  }
  for (std::thread& thread : threads) thread.join();
  const RecordedSpans recorded = program.Recorded();
  std::map<uint64_t, char> names;
  for (const RecordedSpan& span : recorded.spans()) names[span.sequence] = NameOf(span.function);
  std::map<uint64_t, int> children;
  size_t fibers_calls = 0;
  for (const RecordedSpan& span : recorded.spans()) {
    const char name = NameOf(span.function);
    if (name == 'x') {
      const char parent = names[span.parent];
      // (A fiber that is open at the end has left no record.)
      REQUIRE((parent == 0 || (parent >= 'A' && parent < 'A' + kFibers)));
      ++children[span.parent];
    } else if (name == 'y') {
      REQUIRE(names[span.parent] == 'a');
    } else if (name != 'a') {
      ++fibers_calls;
    }
  }
  for (const auto& [parent, count] : children) REQUIRE(count == (names[parent] == 0 ? 1 : 2));
  size_t expected = 0;
  for (const int count : steps) expected += static_cast<size_t>(count / 2);
  CHECK(fibers_calls == expected);
}
#endif

}  // namespace
}  // namespace autotrace::test
