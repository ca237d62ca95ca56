#include "runtime/module_table.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/process_facts.h"
#include "tests/support/test_files.h"

namespace autotrace {
namespace {

constexpr uint16_t kRecorded = decision::kKnown | decision::kRecord;

// A library that is open as long as this is there.
class Opened {
 public:
  explicit Opened(const std::string& path, bool own_namespace = false)
      : handle_(own_namespace ? dlmopen(LM_ID_NEWLM, path.c_str(), RTLD_NOW)
                              : dlopen(path.c_str(), RTLD_NOW)) {
    if (handle_ == nullptr) FAIL(dlerror());
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() { dlclose(handle_); }

  uint64_t Function(const char* name) const {
    return reinterpret_cast<uint64_t>(dlsym(handle_, name));
  }
  int Ask() const { return reinterpret_cast<int (*)()>(Function("Ask"))(); }

 private:
  void* handle_;
};

struct Fixture {
  DecisionTable decisions;
  Ring ring;
  std::unique_ptr<ModuleTable> table;

  Fixture() {
    REQUIRE(decisions.Initialize());
    Ring::Options options;
    options.size = uint64_t{8} << 20;
    options.folder = "";
    REQUIRE(ring.Create(options));
    table = std::make_unique<ModuleTable>(&decisions, &ring);
    table->AddLoaded(ExecutablePath());
    for (ModuleChange change; table->NextChange(&change);) {
    }
  }

  // As at the first sight of a function.
  Module* Decide(uint64_t function, uint16_t bits = kRecorded) {
    const ModuleTable::Found found = table->FindRunning(function);
    CHECK(found.settled);
    decisions.Store(function, bits);
    return found.module;
  }
  // "+1 -1 +2": what readers were told since the last time, by module id.
  std::string News() {
    std::string news;
    for (ModuleChange change; table->NextChange(&change);) {
      if (!news.empty()) news += ' ';
      news += (change.unloaded ? '-' : '+') + std::to_string(change.module->id);
    }
    return news;
  }
  static std::string Loaded(const Module* module) { return "+" + std::to_string(module->id); }
  static std::string Unloaded(const Module* module) { return "-" + std::to_string(module->id); }
};

TEST_CASE("a library that is opened again at its old place is the same module with its decisions") {
  Fixture fixture;
  Module* module = nullptr;
  uint64_t function = 0;
  for (int round = 0; round < 100; ++round) {
    {
      const Opened library(AUTOTRACE_TEST_PLUGIN_ONE);
      if (function == 0) {
        function = library.Function("Ask");
        module = fixture.Decide(function, kRecorded | 5);
        CHECK(fixture.Decide(library.Function("Tell"), decision::kKnown) == module);
        CHECK(fixture.News() == fixture.Loaded(module));
      } else {
        REQUIRE(library.Function("Ask") == function);
        REQUIRE(fixture.decisions.Lookup(function) == 0);
        REQUIRE(fixture.table->FindRunning(function).module == module);
        REQUIRE(DecisionOf(fixture.decisions.Lookup(function)) == (kRecorded | 5));
        REQUIRE(DecisionOf(fixture.decisions.Lookup(library.Function("Tell"))) == decision::kKnown);
      }
      fixture.table->Check();
      REQUIRE(module->state == Module::State::kLoaded);
    }
    fixture.table->Check();
    REQUIRE(module->state == Module::State::kUnloaded);
    REQUIRE(fixture.decisions.Lookup(function) == 0);
  }
  // Readers need not know: nothing else was there.
  CHECK(fixture.News().empty());
  fixture.table->TellUnloads();
  fixture.table->TellUnloads();
  CHECK(fixture.News() == fixture.Unloaded(module));
  const Opened library(AUTOTRACE_TEST_PLUGIN_ONE);
  REQUIRE(fixture.table->FindRunning(function).module == module);
  CHECK(fixture.News() == fixture.Loaded(module));
}

TEST_CASE("another library at the same place is another module and has no decisions") {
  Fixture fixture;
  Module* one = nullptr;
  uint64_t function = 0;
  {
    const Opened library(AUTOTRACE_TEST_PLUGIN_ONE);
    REQUIRE(library.Ask() == 1);
    function = library.Function("Ask");
    one = fixture.Decide(function);
  }
  SECTION("after somebody looked") { fixture.table->Check(); }
  SECTION("before anybody looked") {}
  Module* two = nullptr;
  {
    const Opened library(AUTOTRACE_TEST_PLUGIN_TWO);
    REQUIRE(library.Ask() == 2);
    REQUIRE(library.Function("Ask") == function);
    SECTION("the background thread looks first") {
      fixture.table->Check();
      CHECK(one->state == Module::State::kUnloaded);
      CHECK(fixture.decisions.Lookup(function) == 0);
    }
    two = fixture.Decide(library.Function("Tell"));
    CHECK(two != one);
    CHECK(one->state == Module::State::kUnloaded);
    CHECK(fixture.decisions.Lookup(function) == 0);
    CHECK(fixture.News() ==
          fixture.Loaded(one) + " " + fixture.Unloaded(one) + " " + fixture.Loaded(two));
    CHECK(one->unloaded_ticks <= two->loaded_ticks);
    CHECK(one->image.build_id() != two->image.build_id());
  }
  // And back.
  fixture.table->Check();
  const Opened library(AUTOTRACE_TEST_PLUGIN_ONE);
  REQUIRE(library.Function("Ask") == function);
  CHECK(fixture.table->FindRunning(library.Function("Tell")).module == one);
  CHECK(DecisionOf(fixture.decisions.Lookup(function)) == kRecorded);
  CHECK(fixture.decisions.Lookup(library.Function("Tell")) == 0);
  CHECK(fixture.News() == fixture.Unloaded(two) + " " + fixture.Loaded(one));
}

TEST_CASE("decisions are gone before a library is, and come back when it stays") {
  Fixture fixture;
  void* const handle = dlopen(AUTOTRACE_TEST_PLUGIN_ONE, RTLD_NOW);
  REQUIRE(dlopen(AUTOTRACE_TEST_PLUGIN_ONE, RTLD_NOW) == handle);
  const auto function = reinterpret_cast<uint64_t>(dlsym(handle, "Ask"));
  Module* module = fixture.Decide(function);
  fixture.table->BeforeClose(handle);
  CHECK(fixture.decisions.Lookup(function) == 0);
  dlclose(handle);
  fixture.table->Check();
  fixture.table->TellUnloads();
  CHECK(fixture.table->FindRunning(function).module == module);
  CHECK(DecisionOf(fixture.decisions.Lookup(function)) == kRecorded);
  CHECK(fixture.News() == fixture.Loaded(module));
  fixture.table->BeforeClose(handle);
  // By a thread that was still deciding.
  fixture.decisions.Store(function, kRecorded);
  fixture.table->BeforeClose(handle);
  CHECK(fixture.decisions.Lookup(function) == 0);
  dlclose(handle);
  fixture.table->Check();
  fixture.table->TellUnloads();
  CHECK(fixture.News() == fixture.Unloaded(module));
}

TEST_CASE("the same file under another name is another module") {
  Fixture fixture;
  const autotrace::test::TemporaryFolder folder;
  const std::string copy = folder.path() + "/libcopy.so";
  std::filesystem::copy_file(AUTOTRACE_TEST_PLUGIN_ONE, copy);
  const Module* one = nullptr;
  uint64_t function = 0;
  {
    const Opened library(AUTOTRACE_TEST_PLUGIN_ONE);
    function = library.Function("Ask");
    one = fixture.Decide(function);
  }
  fixture.table->Check();
  const Opened library(copy);
  REQUIRE(library.Function("Ask") == function);
  const Module* two = fixture.Decide(function);
  CHECK(two != one);
  CHECK(two->path_view() == copy);
}

TEST_CASE("a library in two namespaces is two modules") {
  Fixture fixture;
  const Opened first(AUTOTRACE_TEST_PLUGIN_ONE);
  const Opened second(AUTOTRACE_TEST_PLUGIN_ONE, /*own_namespace=*/true);
  REQUIRE(first.Function("Ask") != second.Function("Ask"));
  const Module* one = fixture.Decide(first.Function("Ask"));
  const Module* two = fixture.Decide(second.Function("Ask"));
  CHECK(one != two);
  CHECK(one->path_view() == two->path_view());
  fixture.table->Check();
  CHECK(one->state == Module::State::kLoaded);
  CHECK(two->state == Module::State::kLoaded);
}

TEST_CASE("while a module is changing, nobody waits and nothing is stored") {
  Fixture fixture;
  const Opened library(AUTOTRACE_TEST_PLUGIN_ONE);
  const uint64_t function = library.Function("Ask");
  Module* module = fixture.Decide(function);
  // As another thread that was stopped in the middle.
  module->state = Module::State::kChanging;
  const ModuleTable::Found found = fixture.table->FindRunning(function);
  CHECK(found.module == module);
  CHECK_FALSE(found.settled);
  fixture.table->Check();
  fixture.table->TellUnloads();
  CHECK(module->state == Module::State::kChanging);
  // A forked child has no such thread.
  fixture.table->AfterFork();
  CHECK(fixture.table->FindRunning(function).settled);
  CHECK(module->state == Module::State::kLoaded);
}

TEST_CASE("threads that look while libraries come and go see no wrong module") {
  Fixture fixture;
  std::atomic<bool> stop{false};
  std::vector<std::thread> lookers;
  for (int thread = 0; thread < 2; ++thread) {
    lookers.emplace_back([&] {
      while (!stop) {
        fixture.table->Check();
        fixture.table->TellUnloads();
      }
    });
  }
  uint64_t wrong = 0;
  for (int round = 0; round < 3000; ++round) {
    const bool is_two = round % 2 == 1;
    const Opened library(is_two ? AUTOTRACE_TEST_PLUGIN_TWO : AUTOTRACE_TEST_PLUGIN_ONE);
    const uint64_t functions[] = {library.Function("Ask"), library.Function("Tell")};
    for (const uint64_t function : functions) {
      const ModuleTable::Found found = fixture.table->FindRunning(function);
      const std::string_view file = found.module->path_view();
      wrong += file != (is_two ? AUTOTRACE_TEST_PLUGIN_TWO : AUTOTRACE_TEST_PLUGIN_ONE);
      const auto bits = static_cast<uint16_t>(kRecorded | (is_two ? 2 : 1));
      if (found.settled) fixture.decisions.Store(function, bits);
    }
    // What a call from here on would get. An old decision may only be there before the lookers have
    // had a look, so it was replaced above.
    for (const uint64_t function : functions) {
      const uint64_t word = fixture.decisions.Lookup(function);
      wrong += word != 0 && (DecisionOf(word) & 3) != (is_two ? 2 : 1);
    }
    if (round % 16 == 0) fixture.News();
  }
  stop = true;
  for (std::thread& looker : lookers) looker.join();
  CHECK(wrong == 0);
  CHECK(fixture.table->size() < 100);
}

}  // namespace
}  // namespace autotrace
