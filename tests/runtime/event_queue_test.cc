#include "runtime/event_queue.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

namespace autotrace {
namespace {

TEST_CASE("events come out in the order in which they went in, around the end of the memory") {
  EventQueue<int, 4> queue;
  int value = 0;
  CHECK_FALSE(queue.Pop(&value));
  for (int i = 0; i < 100; i += 3) {
    for (int j = 0; j < 3; ++j) REQUIRE(queue.Push(i + j));
    for (int j = 0; j < 3; ++j) {
      REQUIRE(queue.Pop(&value));
      REQUIRE(value == i + j);
    }
    REQUIRE_FALSE(queue.Pop(&value));
  }
}

TEST_CASE("a full queue refuses events and keeps those it has") {
  EventQueue<int, 4> queue;
  for (int i = 0; i < 4; ++i) CHECK(queue.Push(i));
  CHECK_FALSE(queue.Push(4));
  int value = -1;
  REQUIRE(queue.Pop(&value));
  CHECK(value == 0);
  CHECK(queue.Push(5));
  queue.Clear();
  CHECK_FALSE(queue.Pop(&value));
  CHECK(queue.Push(6));
  REQUIRE(queue.Pop(&value));
  CHECK(value == 6);
}

TEST_CASE("events of several threads all arrive, each thread's in order") {
  constexpr int kThreads = 3;
  constexpr int kEvents = 100'000;
  auto queue = std::make_unique<EventQueue<int, 64>>();
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&queue, thread] {
      for (int i = 0; i < kEvents; ++i) {
        while (!queue->Push(i * kThreads + thread)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  int wrong = 0;
  for (int received = 0; received < kThreads * kEvents;) {
    int value = 0;
    if (!queue->Pop(&value)) {
      std::this_thread::yield();
      continue;
    }
    ++received;
    wrong += value / kThreads != next[value % kThreads]++;
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace autotrace
