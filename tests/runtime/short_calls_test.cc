#include "runtime/short_calls.h"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

namespace autotrace {
namespace {

std::unique_ptr<ShortCalls> Counting(uint32_t limit) {
  auto calls = std::make_unique<ShortCalls>();
  REQUIRE(calls->Initialize());
  calls->set_limit(limit);
  return calls;
}

std::vector<uint64_t> CandidatesOf(const ShortCalls& calls) {
  std::vector<uint64_t> candidates;
  for (size_t i = 0; i < calls.candidates().count(); ++i) {
    candidates.push_back(*calls.candidates().at(i));
  }
  return candidates;
}

void Add(ShortCalls* calls, uint64_t function, int times) {
  for (int i = 0; i < times; ++i) CHECK_FALSE(calls->Add(function));
}

TEST_CASE("a function is a candidate once its calls have come to the limit, and only once") {
  const auto calls = Counting(100);
  Add(calls.get(), 0x1000, 99);
  CHECK(CandidatesOf(*calls).empty());
  Add(calls.get(), 0x2000, 250);
  Add(calls.get(), 0x1000, 1);
  CHECK(CandidatesOf(*calls) == std::vector<uint64_t>{0x2000, 0x1000});
  CHECK(calls->CallsOf(0x2000) == 250);
}

TEST_CASE("a function of which a call was kept is no candidate") {
  const auto calls = Counting(100);
  Add(calls.get(), 0x1000, 50);
  calls->Exempt(0x1000);
  Add(calls.get(), 0x1000, 500);
  CHECK(CandidatesOf(*calls).empty());
  CHECK_FALSE(calls->IsQuiet(0x1000));
}

TEST_CASE("whoever counts a call of a quiet function is told") {
  const auto calls = Counting(100);
  Add(calls.get(), 0x1000, 120);
  calls->MakeQuiet(0x1000);
  CHECK(calls->IsQuiet(0x1000));
  CHECK(calls->Add(0x1000));
  CHECK(calls->CallsOf(0x1000) == 120);
  CHECK_FALSE(calls->IsQuiet(0x2000));
}

TEST_CASE("after a reset functions are counted anew") {
  const auto calls = Counting(100);
  Add(calls.get(), 0x1000, 100);
  calls->MakeQuiet(0x1000);
  calls->Exempt(0x2000);
  calls->Reset();
  Add(calls.get(), 0x1000, 100);
  Add(calls.get(), 0x2000, 100);
  CHECK(CandidatesOf(*calls) == std::vector<uint64_t>{0x1000, 0x1000, 0x2000});
}

TEST_CASE("nothing is counted without a limit or memory") {
  const auto calls = Counting(0);
  Add(calls.get(), 0x1000, 100);
  calls->Exempt(0x1000);
  CHECK(calls->CallsOf(0x1000) == 0);
  ShortCalls without_memory;
  without_memory.set_limit(1);
  Add(&without_memory, 0x1000, 10);
  without_memory.Exempt(0x1000);
  CHECK(CandidatesOf(without_memory).empty());
}

TEST_CASE("more functions than there is room for are not counted, and harm nobody") {
  const auto calls = Counting(2);
  for (uint64_t i = 0; i < 200'000; ++i) Add(calls.get(), 0x1000 + i * 16, 2);
  const std::vector<uint64_t> candidates = CandidatesOf(*calls);
  CHECK(candidates.size() > 30'000);
  CHECK(candidates.size() <= 65'536);
  CHECK(candidates.front() == 0x1000);
}

TEST_CASE("threads that count the same function make one candidate") {
  const auto calls = Counting(10'000);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) calls->Add(0x1000);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(CandidatesOf(*calls) == std::vector<uint64_t>{0x1000});
  CHECK(calls->CallsOf(0x1000) == 20'000);
}

}  // namespace
}  // namespace autotrace
