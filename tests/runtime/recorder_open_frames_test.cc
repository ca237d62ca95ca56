// The copy of open spans that the background thread takes while threads run.
#include <string.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "fake_program.h"
#include "runtime/clock.h"
#include "runtime/ids.h"

namespace autotrace::test {
namespace {

std::vector<format::OpenFrame> Copy(const Recorder& recorder, size_t limit, uint64_t trace_id[2]) {
  std::string bytes;
  const size_t count = recorder.CopyOpenFrames(&bytes, limit, trace_id);
  std::vector<format::OpenFrame> frames(count);
  if (count == 0 || bytes.size() != count * sizeof(format::OpenFrame)) return {};
  memcpy(frames.data(), bytes.data(), bytes.size());
  return frames;
}

TEST_CASE("open spans are copied outermost first, without hidden ones") {
  FakeProgram program;
  program.Decide('h', decision::kKnown | decision::kHideSubtree);
  FakeThread thread(&program);
  uint64_t trace_id[2];
  CHECK(Copy(thread.recorder(), 100, trace_id).empty());
  thread.Enter('a');
  const uint64_t manual = thread.recorder().BeginManual("manual", thread.stack_pointer());
  thread.Enter('b');
  thread.Enter('h');
  thread.Enter('c');

  const std::vector<format::OpenFrame> frames = Copy(thread.recorder(), 100, trace_id);
  REQUIRE(frames.size() == 3);
  CHECK(format::AddressOf(frames[0].head) == FunctionOf('a'));
  CHECK(frames[0].call_site == CallSiteOf('a'));
  CHECK(format::FlagsOf(frames[0].head) == 0);
  CHECK(frames[1].sequence == manual);
  CHECK(format::FlagsOf(frames[1].head) == format::kSpanManual);
  CHECK(format::AddressOf(frames[2].head) == FunctionOf('b'));
  CHECK(frames[2].sequence == 0);
  CHECK(frames[0].start <= frames[1].start);
  CHECK(frames[1].start <= frames[2].start);
  uint64_t expected[2];
  TraceIdOf(program.shared().secret, frames[0].sequence, expected);
  CHECK(trace_id[0] == expected[0]);
  CHECK(trace_id[1] == expected[1]);
}

TEST_CASE("a trace without an identity yet has none in the copy") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.Enter('a');
  uint64_t trace_id[2] = {1, 1};
  CHECK(Copy(thread.recorder(), 100, trace_id).size() == 1);
  CHECK(trace_id[0] == 0);
  CHECK(trace_id[1] == 0);
}

TEST_CASE("no more open spans are copied than asked for") {
  FakeProgram program;
  FakeThread thread(&program, 4096);
  for (int i = 0; i < 1000; ++i) thread.Enter('a');
  uint64_t trace_id[2];
  CHECK(Copy(thread.recorder(), 10, trace_id).size() == 10);
  CHECK(Copy(thread.recorder(), 5000, trace_id).size() == 1000);
}

TEST_CASE("the frames of a forked child's parent are not among the child's open spans") {
  FakeProgram program;
  FakeThread thread(&program);
  thread.Enter('a');
  thread.recorder().PinCurrent();
  thread.recorder().AfterFork(program.shared().secret, 1);
  thread.Enter('b');
  uint64_t trace_id[2];
  const std::vector<format::OpenFrame> frames = Copy(thread.recorder(), 100, trace_id);
  REQUIRE(frames.size() == 1);
  CHECK(format::AddressOf(frames[0].head) == FunctionOf('b'));
}

// While a thread calls and returns, every copied frame must be one that really was there, inside
// the one before it. Calls have numbers: a frame's call site holds its own and its caller's, its
// function tells its depth and the lowest bits of its number.
TEST_CASE("a copy taken while the thread runs holds only frames that were open together") {
  constexpr uint64_t kBase = 0x2000'0000'0000;
  constexpr uint64_t kVariants = 8;
  constexpr uint64_t kNumbers = uint64_t{1} << 24;
  constexpr size_t kDeepest = 300;  // over three segments
  // Time stamp counters of different processors may be apart, and both threads move between them.
  constexpr uint64_t kSkew = 10'000;
  struct OpenCall {
    uint64_t function;
    uint64_t number;
  };

  FakeProgram program;
  FakeThread thread(&program, 4096);
  program.set_threshold(kForever);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> calls{0};
  std::thread runner([&] {
    uint64_t random = 88172645463325252u;
    uint64_t last_number = 0;
    std::vector<OpenCall> open;
    size_t depth_wanted = 5;
    while (!stop.load(std::memory_order_relaxed)) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      if ((random & 0x3ff) == 0) depth_wanted = (random >> 32 & 1) != 0 ? kDeepest : 5;
      if (open.size() < depth_wanted && (random & 0xc000) != 0) {
        const uint64_t number = ++last_number % kNumbers;
        const uint64_t caller = open.empty() ? 0 : open.back().number;
        const uint64_t function = kBase + (open.size() * kVariants + number % kVariants) * 16;
        thread.EnterFunction(function, caller * kNumbers + number,
                             FakeThread::kStackEnd - 4096 - open.size() * 16);
        open.push_back({function, number});
      } else if (!open.empty()) {
        thread.LeaveFunction(open.back().function);
        open.pop_back();
      }
      calls.fetch_add(1, std::memory_order_relaxed);
    }
    for (; !open.empty(); open.pop_back()) thread.LeaveFunction(open.back().function);
  });

  uint64_t wrong = 0;
  std::ostringstream first_wrong;
  uint64_t frames_seen = 0;
  size_t deepest_seen = 0;
  const auto seen_enough = [&](uint64_t copies) {
    return copies > 20'000 && calls.load() > 200'000 &&
           ((deepest_seen > 100 && frames_seen > 10'000) || copies > 20'000'000);
  };
  for (uint64_t copies = 0; !seen_enough(copies); ++copies) {
    uint64_t trace_id[2];
    const std::vector<format::OpenFrame> frames = Copy(thread.recorder(), 512, trace_id);
    const uint64_t now = Now();
    deepest_seen = std::max(deepest_seen, frames.size());
    uint64_t caller = 0;
    for (size_t i = 0; i < frames.size(); ++i) {
      ++frames_seen;
      const uint64_t index = (format::AddressOf(frames[i].head) - kBase) / 16;
      const uint64_t number = frames[i].call_site % kNumbers;
      if (index / kVariants != i || index % kVariants != number % kVariants ||
          frames[i].call_site / kNumbers != caller || frames[i].start > now + kSkew ||
          frames[i].sequence != 0 || (i > 0 && frames[i].start + kSkew < frames[i - 1].start)) {
        if (wrong++ == 0) {
          first_wrong << "frame " << i << " of " << frames.size() << ": function " << index
                      << ", number " << number << ", caller " << frames[i].call_site / kNumbers
                      << " instead of " << caller << ", start " << now - frames[i].start
                      << " ago, of the one below " << now - frames[i == 0 ? 0 : i - 1].start
                      << " ago, sequence " << frames[i].sequence;
        }
      }
      caller = number;
    }
  }
  stop = true;
  runner.join();
  INFO(first_wrong.str());
  CHECK(wrong == 0);
  CHECK(frames_seen > 10'000);
  CHECK(deepest_seen > 100);
}

}  // namespace
}  // namespace autotrace::test
