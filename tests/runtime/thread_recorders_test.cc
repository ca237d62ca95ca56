#include "runtime/thread_recorders.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "runtime/clock.h"
#include "runtime/open_functions.h"

namespace autotrace {
namespace {

constexpr StackRange kStack = {0, 1'000'001};

struct Shared : RecorderShared {
  Shared() {
    InitializeClock();
    Ring::Options options;
    options.size = uint64_t{1} << 20;
    options.folder = "";
    REQUIRE(ring.Create(options));
    REQUIRE(decisions.Initialize());
    decide = [](uint64_t, uint64_t, Recorder*, format::Counter*) -> uint16_t {
      return decision::kKnown | decision::kRecord;
    };
  }
  ~Shared() { ring.Abandon(); }
};

TEST_CASE("threads that record at the same time get different recorders and numbers") {
  constexpr int kThreads = 4;
  constexpr int kRounds = 200;
  Shared shared;
  RecorderPool pool(&shared);
  pool.set_recycle_at_once(true);
  std::mutex mutex;
  std::set<ThreadRecorders*> in_use;
  std::vector<uint32_t> indexes;
  int shared_ones = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        ThreadRecorders* recorders = pool.Acquire({}, kStack);
        {
          const std::lock_guard<std::mutex> lock(mutex);
          if (!in_use.insert(recorders).second) ++shared_ones;
          recorders->ForEachRecorder(
              [&](const Recorder* recorder) { indexes.push_back(recorder->thread_index()); });
          if (recorders->tid != static_cast<uint64_t>(syscall(SYS_gettid))) ++shared_ones;
        }
        {
          const std::lock_guard<std::mutex> lock(mutex);
          in_use.erase(recorders);
        }
        pool.Retire(recorders);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(shared_ones == 0);
  REQUIRE(indexes.size() == kThreads * kRounds * (1 + ThreadRecorders::kInner));
  std::sort(indexes.begin(), indexes.end());
  CHECK(std::adjacent_find(indexes.begin(), indexes.end()) == indexes.end());
  CHECK(indexes.front() == 1);
}

TEST_CASE("hooks inside hooks have recorders of their own, two levels deep") {
  Shared shared;
  RecorderPool pool(&shared);
  Recorder* recorder = pool.Acquire({}, kStack)->outermost();
  std::set<Recorder*> all = {recorder};
  for (Recorder* inner : {recorder->inner_of_entries(), recorder->inner_of_others()}) {
    CHECK(inner->interrupted() == recorder);
    CHECK(inner->inner_of_entries() == inner->inner_of_others());
    CHECK(inner->inner_of_entries()->interrupted() == inner);
    CHECK(inner->inner_of_entries()->inner_of_entries() == nullptr);
    all.insert({inner, inner->inner_of_entries()});
  }
  CHECK(all.size() == 1 + ThreadRecorders::kInner);
}

TEST_CASE("a retired recorder waits until it was seen, then it is used again") {
  Shared shared;
  RecorderPool pool(&shared);
  ThreadRecorders* first = pool.Acquire({}, kStack);
  pool.Retire(first);
  ThreadRecorders* second = pool.Acquire({}, kStack);
  CHECK(second != first);
  int visited = 0;
  pool.ForEach([&](ThreadRecorders*) { ++visited; });
  CHECK(visited == 2);
  pool.Recycle(first);
  CHECK(pool.Acquire({}, kStack) == first);
}

TEST_CASE("memory that no thread uses any more is given back, but for a little") {
  constexpr size_t kThreads = 200;
  Shared shared;
  RecorderPool pool(&shared);
  std::vector<ThreadRecorders*> used;
  for (size_t i = 0; i < kThreads; ++i) used.push_back(pool.Acquire({}, kStack));
  CHECK(pool.mapped() == kThreads);
  for (int look = 0; look < 10; ++look) pool.GiveMemoryBack();
  CHECK(pool.mapped() == kThreads);
  for (ThreadRecorders* recorders : used) {
    pool.Retire(recorders);
    pool.Recycle(recorders);
  }
  for (int look = 0; look < 10; ++look) pool.GiveMemoryBack();
  CHECK(pool.mapped() < 20);
  CHECK(pool.mapped() > 0);
  // They serve again.
  used.clear();
  for (size_t i = 0; i < kThreads; ++i) used.push_back(pool.Acquire({}, kStack));
  CHECK(std::set<ThreadRecorders*>(used.begin(), used.end()).size() == kThreads);
  CHECK(pool.mapped() == kThreads);
}

TEST_CASE("threads that come and go while memory is given back always find some") {
  Shared shared;
  RecorderPool pool(&shared);
  pool.set_recycle_at_once(true);
  std::atomic<bool> stop{false};
  std::thread background([&] {
    while (!stop) pool.GiveMemoryBack();
  });
  std::vector<std::thread> threads;
  std::atomic<int> missing{0};
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        std::vector<ThreadRecorders*> used;
        for (int i = 0; i < 10; ++i) used.push_back(pool.Acquire({}, kStack));
        for (ThreadRecorders* recorders : used) {
          if (recorders == nullptr) {
            ++missing;
            continue;
          }
          recorders->outermost()->Enter(0x1000, 1, 1000);
          pool.Retire(recorders);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  background.join();
  CHECK(missing == 0);
}

TEST_CASE("a reused recorder remembers nothing of the thread before") {
  Shared shared;
  RecorderPool pool(&shared);
  pool.set_recycle_at_once(true);
  ThreadRecorders* recorders = pool.Acquire({}, kStack);
  for (uint64_t i = 0; i < 5000; ++i) {
    recorders->outermost()->Enter(0x1000 + i * 16, 1, 1'000'000 - i * 16);
  }
  pool.Retire(recorders);
  ThreadRecorders* again = pool.Acquire({}, kStack);
  REQUIRE(again == recorders);
  std::string frames;
  uint64_t trace_id[2];
  CHECK(again->outermost()->CopyOpenFrames(&frames, 100, trace_id) == 0);
  again->outermost()->Enter(0x1000, 1, 1000);
  CHECK(again->outermost()->CopyOpenFrames(&frames, 100, trace_id) == 1);
}

TEST_CASE("of which functions calls are open is seen, on all stacks of all threads") {
  Shared shared;
  RecorderPool pool(&shared);
  ThreadRecorders* recorders = pool.Acquire({}, kStack);
  Recorder* recorder = recorders->outermost();
  const auto at = [](uint64_t depth) { return kStack.high - 1000 * depth; };
  recorder->Enter(0x1000, 1, at(1));
  recorder->Enter(0x2000, 2, at(2));
  const uint64_t between = Now();
  recorder->Enter(0x1000, 3, at(3));
  OpenFunctions open = OpenFunctions::LookAt(&pool, shared);
  CHECK(open.is_certain());
  CHECK(open.MayBeOpen(0x1000));
  CHECK(open.MayBeOpen(0x2000));
  CHECK_FALSE(open.MayBeOpen(0x3000));
  CHECK(open.OldestStart(0x1000) <= between);
  CHECK(open.OldestStart(0x3000) == 0);

  // On another stack, below which the own one's calls stay open.
  recorder->StackCreated(0x7000'0000, 0x7001'0000);
  recorder->Enter(0x4000, 4, 0x7000'8000);
  open = OpenFunctions::LookAt(&pool, shared);
  CHECK(open.is_certain());
  CHECK(open.MayBeOpen(0x1000));
  CHECK(open.MayBeOpen(0x4000));
  recorder->Leave(0x4000, 0x7000'8000);
  CHECK_FALSE(OpenFunctions::LookAt(&pool, shared).MayBeOpen(0x4000));

  // On a stack that no thread is on nothing can be told.
  recorder->Enter(0x4000, 4, 0x7000'8000);
  recorder->Leave(0x1000, at(3));
  open = OpenFunctions::LookAt(&pool, shared);
  CHECK_FALSE(open.is_certain());
  CHECK(open.MayBeOpen(0x3000));
}

TEST_CASE("in a forked child only the forking thread's recorder is in use") {
  Shared shared;
  RecorderPool pool(&shared);
  ThreadRecorders* own = pool.Acquire({}, kStack);
  ThreadRecorders* other = nullptr;
  std::thread([&] { other = pool.Acquire({}, kStack); }).join();
  pool.AfterFork(own, shared.secret);
  std::vector<ThreadRecorders*> visited;
  pool.ForEach([&](ThreadRecorders* recorders) { visited.push_back(recorders); });
  CHECK(visited == std::vector<ThreadRecorders*>{own});
  CHECK(pool.Acquire({}, kStack) == other);
}

}  // namespace
}  // namespace autotrace
