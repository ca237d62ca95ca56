// A thread of ours is kept still while the program forks.
#include "runtime/fork_gate.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

namespace autotrace::test {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kLong = 60'000 * kMillisecond;

TEST_CASE("a fork does not wait when nobody is inside") {
  ForkGate gate;
  const uint64_t begin = MonotonicNanos();
  CHECK(gate.Close(kLong));
  CHECK(MonotonicNanos() - begin < kLong / 2);
  gate.Open();
}

TEST_CASE("a fork waits for the thread that is inside") {
  ForkGate gate;
  std::atomic<bool> is_inside{false};
  std::atomic<bool> worked{false};
  std::thread ours([&] {
    const ForkGate::Inside inside(&gate);
    is_inside = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    worked = true;
  });
  while (!is_inside) std::this_thread::yield();
  CHECK(gate.Close(kLong));
  CHECK(worked);
  gate.Open();
  ours.join();
}

TEST_CASE("a fork waits no longer than it is told to") {
  ForkGate gate;
  std::atomic<bool> is_inside{false};
  std::atomic<bool> may_end{false};
  std::thread ours([&] {
    const ForkGate::Inside inside(&gate);
    is_inside = true;
    while (!may_end) std::this_thread::yield();
  });
  while (!is_inside) std::this_thread::yield();
  const uint64_t begin = MonotonicNanos();
  CHECK_FALSE(gate.Close(20 * kMillisecond));
  CHECK(MonotonicNanos() - begin >= 20 * kMillisecond);
  gate.Open();
  may_end = true;
  ours.join();
}

TEST_CASE("nobody goes in until the last of several forks is over") {
  ForkGate gate;
  std::atomic<int> forks{2};
  std::atomic<int> forks_when_in{-1};
  gate.Close(kLong);
  gate.Close(kLong);
  std::thread ours([&] {
    const ForkGate::Inside inside(&gate);
    forks_when_in = forks.load();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(forks_when_in == -1);
  --forks;
  gate.Open();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(forks_when_in == -1);
  --forks;
  gate.Open();
  ours.join();
  CHECK(forks_when_in == 0);
}

TEST_CASE("in the child the gate is open, whoever was inside") {
  ForkGate gate;
  gate.Close(0);
  gate.Reset();
  const ForkGate::Inside inside(&gate);
  SUCCEED();
}

}  // namespace
}  // namespace autotrace::test
