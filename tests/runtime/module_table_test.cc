#include "runtime/module_table.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/clock.h"
#include "runtime/process_facts.h"
#include "tests/support/test_files.h"

namespace autotrace {
namespace {

constexpr uint16_t kRecorded = decision::kKnown | decision::kRecord;

// What readers are told, as "+1 -1 +2" by module id.
class ToldNews final : public ModuleNews {
 public:
  bool Tell(const Module& module, uint64_t ticks) override {
    if (meanwhile) meanwhile();
    if (refuses) return false;
    Add('+', module, ticks);
    return true;
  }
  void Add(char sign, const Module& module, uint64_t ticks) {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_.emplace_back(sign + std::to_string(module.id), ticks);
  }
  // Since the last time.
  std::string Take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::string text;
    for (const auto& [news, ticks] : all_) text += (text.empty() ? "" : " ") + news;
    all_.clear();
    return text;
  }
  uint64_t last_ticks() const { return all_.back().second; }

  bool refuses = false;
  std::function<void()> meanwhile;  // before it is told

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::string, uint64_t>> all_;
};

std::string Loaded(const Module* module) { return "+" + std::to_string(module->id); }
std::string Gone(const Module* module) { return "-" + std::to_string(module->id); }

struct Fixture {
  DecisionTable decisions;
  std::unique_ptr<ModuleTable> table;
  ToldNews news;

  Fixture() {
    REQUIRE(decisions.Initialize());
    table = std::make_unique<ModuleTable>(&decisions);
    table->AddLoaded(ExecutablePath());
  }

  // As at the first sight of a function.
  Module* Decide(uint64_t function, uint16_t bits = kRecorded) {
    const ModuleTable::Sight sight = table->Introduce(function, &news);
    CHECK(sight.told);
    table->Store(sight.module, function, bits);
    return sight.module;
  }
  // As the background thread does.
  void LookForGone() {
    std::vector<ModuleChange> gone;
    table->FindGone(&gone);
    for (const ModuleChange& change : gone) news.Add('-', *change.module, change.ticks);
  }
  bool Knows(uint64_t function) const { return decisions.Lookup(function) != 0; }
};

// A library that is open as long as this is there.
class Opened {
 public:
  // `table`: of the runtime that the program is linked to; null: nobody sees that it is closed.
  Opened(ModuleTable* table, const std::string& path, bool own_namespace = false)
      : table_(table),
        handle_(own_namespace ? dlmopen(LM_ID_NEWLM, path.c_str(), RTLD_NOW)
                              : dlopen(path.c_str(), RTLD_NOW)) {
    if (handle_ == nullptr) FAIL(dlerror());
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    if (table_ != nullptr) table_->BeginClose();
    dlclose(handle_);
    if (table_ != nullptr) table_->EndClose();
  }

  uint64_t Function(const char* name) const {
    return reinterpret_cast<uint64_t>(dlsym(handle_, name));
  }
  int Ask() const { return reinterpret_cast<int (*)()>(Function("Ask"))(); }

 private:
  ModuleTable* table_;
  void* handle_;
};

TEST_CASE("a library that is opened again at its old place is the same module with its decisions") {
  Fixture fixture;
  ModuleTable* const linked = GENERATE(true, false) ? fixture.table.get() : nullptr;
  Module* module = nullptr;
  uint64_t function = 0;
  for (int round = 0; round < 100; ++round) {
    const Opened library(linked, AUTOTRACE_TEST_PLUGIN_ONE);
    if (function == 0) {
      function = library.Function("Ask");
      module = fixture.Decide(function, kRecorded | 5);
      CHECK(module->keeps_decisions);
      module->decisions.Store(function, kRecorded | 5);
    }
    REQUIRE(library.Function("Ask") == function);
    REQUIRE(fixture.Decide(function) == module);
    REQUIRE(DecisionOf(module->decisions.Lookup(function)) == (kRecorded | 5));
  }
  // Readers need not know: nothing else was there.
  CHECK(fixture.news.Take() == Loaded(module));
  fixture.LookForGone();
  fixture.LookForGone();
  CHECK(fixture.news.Take() == Gone(module));
  CHECK_FALSE(fixture.Knows(function));
  const Opened library(linked, AUTOTRACE_TEST_PLUGIN_ONE);
  REQUIRE(fixture.Decide(function) == module);
  CHECK(fixture.news.Take() == Loaded(module));
}

TEST_CASE("another library at the same place is another module and has no decisions") {
  // What a sanitizer maps when it first sees a library lies where the next one would.
  for (const char* path : {AUTOTRACE_TEST_PLUGIN_ONE, AUTOTRACE_TEST_PLUGIN_TWO}) {
    dlclose(dlopen(path, RTLD_NOW));
  }
  Fixture fixture;
  ModuleTable* const linked = GENERATE(true, false) ? fixture.table.get() : nullptr;
  const bool looked = GENERATE(true, false);
  Module* one = nullptr;
  uint64_t function = 0;
  {
    const Opened library(linked, AUTOTRACE_TEST_PLUGIN_ONE);
    REQUIRE(library.Ask() == 1);
    function = library.Function("Ask");
    one = fixture.Decide(function);
    CHECK(fixture.Knows(function));
  }
  CHECK(fixture.Knows(function) == (linked == nullptr));
  CHECK(fixture.news.Take() == Loaded(one));
  if (looked) {
    fixture.LookForGone();
    CHECK(fixture.news.Take() == Gone(one));
  }
  Module* two = nullptr;
  {
    const Opened library(linked, AUTOTRACE_TEST_PLUGIN_TWO);
    REQUIRE(library.Ask() == 2);
    REQUIRE(library.Function("Ask") == function);
    two = fixture.Decide(library.Function("Tell"));
    CHECK(two != one);
    CHECK_FALSE(fixture.Knows(function));
    CHECK(fixture.news.Take() == Loaded(two));
    CHECK(one->told < two->told);
    CHECK(one->image.build_id() != two->image.build_id());
  }
  // And back.
  const Opened library(linked, AUTOTRACE_TEST_PLUGIN_ONE);
  REQUIRE(library.Function("Ask") == function);
  CHECK(fixture.Decide(function) == one);
  CHECK_FALSE(fixture.Knows(library.Function("Tell")));
  CHECK(fixture.news.Take() == Loaded(one));
  CHECK(one->told > two->told);
}

TEST_CASE("decisions are gone before a library is, and can be stored again when it stays") {
  Fixture fixture;
  const Opened stays(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
  const uint64_t function = stays.Function("Ask");
  Module* module = fixture.Decide(function);
  fixture.table->BeginClose();
  CHECK_FALSE(fixture.Knows(function));
  SECTION("a destructor may be running, after which the code will be gone") {
    CHECK(fixture.Decide(function) == module);
    CHECK_FALSE(fixture.Knows(function));
  }
  SECTION("also when another close ends") {
    fixture.table->BeginClose();
    fixture.table->EndClose();
    CHECK(fixture.Decide(function) == module);
    CHECK_FALSE(fixture.Knows(function));
  }
  fixture.table->EndClose();
  fixture.LookForGone();
  CHECK(fixture.Decide(function) == module);
  CHECK(fixture.Knows(function));
  CHECK(fixture.news.Take() == Loaded(module));
}

TEST_CASE("what the program was linked to keeps its decisions while others are closed") {
  Fixture fixture;
  const auto own = reinterpret_cast<uint64_t>(&Loaded);
  const auto libc = reinterpret_cast<uint64_t>(dlsym(RTLD_NEXT, "strlen"));
  CHECK(fixture.Decide(own)->main_program);
  CHECK(fixture.Decide(libc)->lasts);
  { const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE); }
  CHECK(fixture.Knows(own));
  CHECK(fixture.Knows(libc));
  fixture.table->BeginClose();
  fixture.decisions.Forget(own, own + 1);
  fixture.Decide(own);
  CHECK(fixture.Knows(own));
  fixture.table->EndClose();
  CHECK(fixture.news.Take().empty());  // they were told about at start
}

TEST_CASE("the same file under another name is another module") {
  Fixture fixture;
  const autotrace::test::TemporaryFolder folder;
  const std::string copy = folder.path() + "/libcopy.so";
  std::filesystem::copy_file(AUTOTRACE_TEST_PLUGIN_ONE, copy);
  const Module* one = nullptr;
  uint64_t function = 0;
  {
    const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
    function = library.Function("Ask");
    one = fixture.Decide(function);
  }
  const Opened library(fixture.table.get(), copy);
  REQUIRE(library.Function("Ask") == function);
  const Module* two = fixture.Decide(function);
  CHECK(two != one);
  CHECK(two->path_view() == copy);
  CHECK(fixture.news.Take() == Loaded(one) + " " + Loaded(two));
}

TEST_CASE("a library in two namespaces is two modules") {
  Fixture fixture;
  const Opened first(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
  const Opened second(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE, /*own_namespace=*/true);
  REQUIRE(first.Function("Ask") != second.Function("Ask"));
  const Module* one = fixture.Decide(first.Function("Ask"));
  const Module* two = fixture.Decide(second.Function("Ask"));
  CHECK(one != two);
  CHECK(one->path_view() == two->path_view());
  CHECK(fixture.news.Take() == Loaded(one) + " " + Loaded(two));
  fixture.LookForGone();
  CHECK(fixture.news.Take().empty());
}

// ---- Several threads
// -----------------------------------------------------------------------------

TEST_CASE("a thread that is stopped while it tells of a module keeps nobody back") {
  Fixture fixture;
  const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
  const uint64_t function = library.Function("Ask");
  ToldNews others;
  // What another thread does while this one is stopped in the middle.
  fixture.news.meanwhile = [&] {
    const ModuleTable::Sight sight = fixture.table->See(function);
    REQUIRE(sight.module != nullptr);
    // Readers do not know it yet, so this thread has to tell them itself.
    CHECK_FALSE(sight.told);
    CHECK(fixture.table->Introduce(function, &others).told);
    CHECK(others.last_ticks() <= Now());
    CHECK(fixture.table->See(function).told);
    fixture.table->Store(sight.module, function, kRecorded);
    CHECK(fixture.Knows(function));
  };
  const Module* module = fixture.Decide(function);
  CHECK(others.Take() == Loaded(module));
  CHECK(fixture.news.Take() == Loaded(module));
}

TEST_CASE("news that find no room are told by the next who sees the module") {
  Fixture fixture;
  const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
  const uint64_t function = library.Function("Ask");
  fixture.news.refuses = true;
  const ModuleTable::Sight sight = fixture.table->Introduce(function, &fixture.news);
  REQUIRE(sight.module != nullptr);
  CHECK_FALSE(sight.told);
  CHECK_FALSE(fixture.table->See(function).told);
  fixture.news.refuses = false;
  CHECK(fixture.Decide(function) == sight.module);
  CHECK(fixture.news.Take() == Loaded(sight.module));
}

TEST_CASE("the time of a module lies after all calls of the one before and before its own") {
  Fixture fixture;
  uint64_t last_start = 0;
  for (int round = 0; round < 200; ++round) {
    const Opened library(fixture.table.get(),
                         round % 2 == 0 ? AUTOTRACE_TEST_PLUGIN_ONE : AUTOTRACE_TEST_PLUGIN_TWO);
    const Module* module = fixture.Decide(library.Function("Ask"));
    REQUIRE(module->told > last_start);
    last_start = Now();
    REQUIRE(module->told < last_start);
  }
}

TEST_CASE("threads that see a new library at once see one module") {
  for (int round = 0; round < 100; ++round) {
    Fixture fixture;
    const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
    const size_t size = fixture.table->size();
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    std::atomic<Module*> seen[3] = {};
    for (auto& module : seen) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < 3) {
        }
        module = fixture.table->Introduce(library.Function("Ask"), &fixture.news).module;
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(fixture.table->size() == size + 1);
    REQUIRE(seen[0] == fixture.table->at(size));
    REQUIRE(seen[1] == seen[0].load());
    REQUIRE(seen[2] == seen[0].load());
  }
}

TEST_CASE("a library that is seen while somebody finds that it is gone is there for readers") {
  Fixture fixture;
  const auto look = [&] {
    for (int i = 0; i < 50; ++i) fixture.LookForGone();
  };
  for (int round = 0; round < 500; ++round) {
    std::thread background(look);
    Module* module = nullptr;
    {
      const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
      module = fixture.Decide(library.Function("Ask"));
      background.join();
      REQUIRE_FALSE(module->gone);
      const std::string news = fixture.news.Take();
      // What is told last is that it is there; by time, since the order is another matter.
      if (news.find(Gone(module)) != std::string::npos) REQUIRE(module->told > module->gone_since);
    }
    fixture.news.Take();
  }
}

TEST_CASE("decisions that are stored while libraries are closed do not outlive them") {
  Fixture fixture;
  const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
  const uint64_t function = library.Function("Ask");
  std::atomic<bool> stop{false};
  std::atomic<bool> call_is_over{false};
  std::atomic<uint64_t> stored{0};
  // As a worker thread of the library, which its destructor waits for.
  std::thread worker([&] {
    while (!stop) {
      fixture.Decide(function);
      stored += fixture.Knows(function);
      call_is_over = true;
    }
  });
  uint64_t left = 0;
  for (int round = 0; round < 5000; ++round) {
    fixture.table->BeginClose();
    // The call that was open then, if any.
    call_is_over = false;
    while (!call_is_over) std::this_thread::yield();
    left += fixture.Knows(function);
    fixture.table->EndClose();
  }
  stop = true;
  worker.join();
  CHECK(left == 0);
  CHECK(stored > 0);
}

TEST_CASE("threads that look while libraries come and go see no wrong module") {
  Fixture fixture;
  std::atomic<bool> stop{false};
  std::thread background([&] {
    while (!stop) fixture.LookForGone();
  });
  // Closes another library again and again, so that decisions are dropped at any time.
  std::thread closer([&] {
    while (!stop) {
      fixture.table->BeginClose();
      fixture.table->EndClose();
      std::this_thread::yield();
    }
  });
  uint64_t wrong = 0;
  for (int round = 0; round < 3000; ++round) {
    const bool is_two = round % 2 == 1;
    const Opened library(fixture.table.get(),
                         is_two ? AUTOTRACE_TEST_PLUGIN_TWO : AUTOTRACE_TEST_PLUGIN_ONE);
    for (const char* name : {"Ask", "Tell"}) {
      const uint64_t function = library.Function(name);
      wrong += fixture.Knows(function);
      const auto bits = static_cast<uint16_t>(kRecorded | (is_two ? 2 : 1));
      const std::string_view file = fixture.Decide(function, bits)->path_view();
      wrong += file != (is_two ? AUTOTRACE_TEST_PLUGIN_TWO : AUTOTRACE_TEST_PLUGIN_ONE);
      const uint64_t word = fixture.decisions.Lookup(function);
      wrong += word != 0 && DecisionOf(word) != bits;
    }
    if (round % 16 == 0) fixture.news.Take();
  }
  stop = true;
  background.join();
  closer.join();
  CHECK(wrong == 0);
  CHECK(fixture.table->size() < 100);
}

TEST_CASE("a forked child tells everything anew, and stores decisions though others were closing") {
  Fixture fixture;
  const Opened library(fixture.table.get(), AUTOTRACE_TEST_PLUGIN_ONE);
  const uint64_t function = library.Function("Ask");
  Module* module = fixture.Decide(function);
  for (size_t i = 0; i < fixture.table->size(); ++i) fixture.table->at(i)->to_tell = false;
  // By a thread that the child does not have, and by the one that forks.
  fixture.table->BeginClose();
  fixture.table->BeginClose();
  fixture.table->AfterFork(/*own_closes=*/1);
  for (size_t i = 0; i < fixture.table->size(); ++i) CHECK(fixture.table->at(i)->to_tell);
  CHECK(module->there_since == module->told);
  fixture.Decide(function);
  CHECK_FALSE(fixture.Knows(function));
  fixture.table->EndClose();
  fixture.Decide(function);
  CHECK(fixture.Knows(function));
}

}  // namespace
}  // namespace autotrace
