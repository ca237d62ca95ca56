#include "runtime/decision_table.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace autotrace {
namespace {

constexpr uint16_t kRecorded = decision::kKnown | decision::kRecord;

// Like functions of a large binary: 16-byte aligned, close together.
uint64_t FunctionAt(uint64_t index) { return 0x5555'5555'0000 + index * 16; }

TEST_CASE("a function that was never stored is unknown") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  CHECK(table.Lookup(FunctionAt(1)) == 0);
  table.Store(FunctionAt(2), kRecorded);
  CHECK(table.Lookup(FunctionAt(1)) == 0);
}

TEST_CASE("a stored decision is found, and a later one replaces it") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  table.Store(FunctionAt(1), kRecorded | 5);
  CHECK(table.Lookup(FunctionAt(1)) == FunctionWord(FunctionAt(1), kRecorded | 5));
  CHECK(table.LookupFirst(FunctionAt(1)) == table.Lookup(FunctionAt(1)));
  table.Store(FunctionAt(1), decision::kRecord);
  // Known is what makes an entry an entry; Store adds it.
  CHECK(DecisionOf(table.Lookup(FunctionAt(1))) == kRecorded);
  CHECK(table.size() == 1);
}

TEST_CASE("the first slot holds the function or another one, never a wrong decision") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  // Functions of different sizes, between 16 and 512 bytes.
  std::vector<uint64_t> functions;
  uint64_t address = 0x5555'5555'0000;
  uint64_t random = 1;
  for (uint64_t i = 0; i < 5000; ++i) {
    functions.push_back(address);
    table.Store(address, static_cast<uint16_t>(kRecorded | (i & 0x7f)));
    random = random * 6364136223846793005u + 1442695040888963407u;
    address += 16 + (random >> 59) * 16;
  }
  int direct = 0;
  for (const uint64_t function : functions) {
    const uint64_t word = table.LookupFirst(function);
    if (!SameFunction(word, function)) continue;
    ++direct;
    REQUIRE(word == table.Lookup(function));
  }
  // The hooks' fast path lives from this.
  CHECK(direct > 3750);
}

TEST_CASE("100,000 functions stored by four threads are found afterwards") {
  constexpr int kThreads = 4;
  constexpr uint64_t kFunctions = 100'000;
  DecisionTable table;
  REQUIRE(table.Initialize());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      // Half of them are stored by two threads, as when several see a function first.
      for (uint64_t i = 0; i < kFunctions; ++i) {
        if (i % kThreads != uint64_t(thread) && (i + 1) % kThreads != uint64_t(thread)) continue;
        table.Store(FunctionAt(i), static_cast<uint16_t>(kRecorded | (i % 0x7f)));
        const uint64_t word = table.Lookup(FunctionAt(i));
        if (word != 0 && DecisionOf(word) != (kRecorded | (i % 0x7f))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  // An entry that was stored while the table grew may be missing: it is decided again, once.
  for (uint64_t i = 0; i < kFunctions; ++i) {
    if (table.Lookup(FunctionAt(i)) == 0) {
      table.Store(FunctionAt(i), static_cast<uint16_t>(kRecorded | (i % 0x7f)));
    }
  }
  uint64_t missing = 0;
  for (uint64_t i = 0; i < kFunctions; ++i) {
    if (DecisionOf(table.Lookup(FunctionAt(i))) != (kRecorded | (i % 0x7f))) ++missing;
  }
  CHECK(missing == 0);
}

TEST_CASE("look-ups during growth find what was stored before") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  constexpr uint64_t kEarly = 1000;
  for (uint64_t i = 0; i < kEarly; ++i) table.Store(FunctionAt(i), kRecorded);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> missed{0};
  std::thread reader([&] {
    while (!stop) {
      for (uint64_t i = 0; i < kEarly; ++i) {
        if (table.Lookup(FunctionAt(i)) == 0) ++missed;
      }
    }
  });
  for (uint64_t i = kEarly; i < 200'000; ++i) table.Store(FunctionAt(i), kRecorded);
  stop = true;
  reader.join();
  CHECK(missed == 0);
}

TEST_CASE("functions of an unloaded module become unknown, others stay") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  for (uint64_t i = 0; i < 3000; ++i) table.Store(FunctionAt(i), kRecorded);
  table.Forget(FunctionAt(1000), FunctionAt(2000));
  for (uint64_t i = 0; i < 3000; ++i) {
    const bool known = table.Lookup(FunctionAt(i)) != 0;
    REQUIRE(known == (i < 1000 || i >= 2000));
  }
  // Another library at the same address.
  table.Store(FunctionAt(1500), decision::kKnown);
  CHECK(DecisionOf(table.Lookup(FunctionAt(1500))) == decision::kKnown);
}

TEST_CASE("one function is forgotten without the others") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  for (uint64_t i = 0; i < 100; ++i) table.Store(FunctionAt(i), kRecorded);
  table.ForgetOne(FunctionAt(50));
  table.ForgetOne(FunctionAt(1000));  // never known
  for (uint64_t i = 0; i < 100; ++i) REQUIRE((table.Lookup(FunctionAt(i)) != 0) == (i != 50));
  CHECK(table.size() == 100);
}

TEST_CASE("an entry is replaced only while it is what it was") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  table.Store(FunctionAt(1), kRecorded | 3);
  const uint64_t entry = table.Lookup(FunctionAt(1));
  table.Replace(entry, kRecorded | 4);
  CHECK(DecisionOf(table.Lookup(FunctionAt(1))) == (kRecorded | 4));
  table.Replace(entry, kRecorded | 5);
  CHECK(DecisionOf(table.Lookup(FunctionAt(1))) == (kRecorded | 4));
  table.ForgetOne(FunctionAt(1));
  table.Replace(FunctionWord(FunctionAt(1), kRecorded | 4), kRecorded | 5);
  CHECK(table.Lookup(FunctionAt(1)) == 0);
}

TEST_CASE("a forgotten function takes the slow path of the hooks") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  table.Store(FunctionAt(1), kRecorded);
  table.Forget(FunctionAt(0), FunctionAt(2));
  const uint8_t kind = DecisionKind(table.LookupFirst(FunctionAt(1)));
  CHECK(kind != decision::kPlainRecord);
  CHECK(kind != decision::kPlainHidden);
}

TEST_CASE("what is forgotten while the table grows stays forgotten") {
  // Forgets at every stage of growing: a copy must not bring back what the old table lost.
  for (int round = 0; round < 30; ++round) {
    DecisionTable table;
    REQUIRE(table.Initialize());
    constexpr uint64_t kOld = 2000;
    constexpr uint64_t kNew = 50'000;
    for (uint64_t i = 0; i < kOld; ++i) table.Store(FunctionAt(i), kRecorded);
    std::atomic<uint64_t> stored{0};
    std::thread grower([&] {
      for (uint64_t i = kOld; i < kNew; ++i) {
        table.Store(FunctionAt(i), kRecorded);
        stored.store(i, std::memory_order_relaxed);
      }
    });
    uint64_t back = 0;
    for (uint64_t i = 0; i < kOld; ++i) {
      // Spread over the time that the other thread takes.
      while (stored.load(std::memory_order_relaxed) < kOld + i * 20) std::this_thread::yield();
      if (round % 2 == 0) {
        table.Forget(FunctionAt(i), FunctionAt(i + 1));
      } else {
        table.ForgetOne(FunctionAt(i));
      }
      back += table.Lookup(FunctionAt(i)) != 0;
      i += 10;
    }
    grower.join();
    for (uint64_t i = 0; i < kOld; i += 11) back += table.Lookup(FunctionAt(i)) != 0;
    REQUIRE(back == 0);
  }
}

TEST_CASE("look-ups during a forgetting find a function's own decision or none") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  constexpr uint64_t kFunctions = 2000;
  const auto bits = [](uint64_t i) { return static_cast<uint16_t>(kRecorded | (i % 0x7f)); };
  for (uint64_t i = 0; i < kFunctions; ++i) table.Store(FunctionAt(i), bits(i));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int thread = 0; thread < 2; ++thread) {
    readers.emplace_back([&] {
      while (!stop) {
        for (uint64_t i = 0; i < kFunctions; ++i) {
          const uint64_t word = table.Lookup(FunctionAt(i));
          if (word != 0 && word != FunctionWord(FunctionAt(i), bits(i))) ++wrong;
          // A module that stays.
          if (word == 0 && i >= kFunctions / 2 && i < kFunctions / 2 + 100) ++wrong;
        }
      }
    });
  }
  for (int round = 0; round < 300; ++round) {
    for (uint64_t i = 0; i < kFunctions; ++i) table.Store(FunctionAt(i), bits(i));
    table.Forget(FunctionAt(0), FunctionAt(kFunctions / 2));
    table.Forget(FunctionAt(kFunctions / 2 + 100), FunctionAt(kFunctions));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
}

TEST_CASE("a library loaded and unloaded again and again does not fill the table") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  table.Store(FunctionAt(1'000'000), kRecorded);
  for (int round = 0; round < 200; ++round) {
    for (uint64_t i = 0; i < 1000; ++i) table.Store(FunctionAt(i), kRecorded);
    uint64_t found = 0;
    for (uint64_t i = 0; i < 1000; ++i) found += table.Lookup(FunctionAt(i)) != 0;
    REQUIRE(found == 1000);
    table.Forget(FunctionAt(0), FunctionAt(1000));
  }
  CHECK(table.Lookup(FunctionAt(1'000'000)) != 0);
  CHECK(table.Lookup(FunctionAt(1)) == 0);
  CHECK(table.size() == 1001);
}

TEST_CASE("libraries at ever new addresses make the table no larger than what is loaded") {
  DecisionTable table;
  REQUIRE(table.Initialize());
  const size_t capacity = table.capacity();
  for (uint64_t round = 0; round < 200; ++round) {
    const uint64_t first = round * 1000;
    for (uint64_t i = 0; i < 1000; ++i) table.Store(FunctionAt(first + i), kRecorded);
    table.Forget(FunctionAt(first), FunctionAt(first + 1000));
  }
  CHECK(table.capacity() == capacity);
}

}  // namespace
}  // namespace autotrace
