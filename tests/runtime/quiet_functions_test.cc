// What falls quiet is noted, also in a program that has no memory left now and then. This program's
// operator new fails when it is told to.
#include "runtime/quiet_functions.h"

#include <stdlib.h>
#include <string.h>

#include <catch2/catch.hpp>
#include <new>

#include "fake_program.h"
#include "runtime/process_facts.h"

namespace {

// How many allocations succeed before one fails; negative: all do.
thread_local int allocations_left = -1;

}  // namespace

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  void* memory = allocations_left == 0 ? nullptr : malloc(size == 0 ? 1 : size);
  if (allocations_left >= 0) --allocations_left;
  return memory;
}
void* operator new(size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return operator new(size, tag);
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

namespace autotrace::test {
namespace {

__attribute__((noinline)) void First() { asm volatile(""); }
__attribute__((noinline)) void Second() { asm volatile("nop"); }

constexpr uint32_t kLimit = 10;

struct Program {
  Program() {
    config.active = true;
    config.patch = false;
    config.modules = {"*"};
    filter = std::make_unique<filters::FunctionFilter>(config);
    decider =
        std::make_unique<Decider>(config, filter.get(), &modules, &program.shared().short_calls);
    erasing = std::make_unique<HookErasing>(std::vector<HookAddress>{}, decider.get(), &pool,
                                            &program.shared());
    quiet = std::make_unique<QuietFunctions>(&program.shared(), &pool, &modules, erasing.get());
    REQUIRE(program.shared().short_calls.Initialize());
    program.shared().short_calls.set_limit(kLimit);
    modules.AddLoaded(ExecutablePath());
  }
  void CallOften(void (*function)()) {
    const auto address = reinterpret_cast<uint64_t>(function);
    program.shared().decisions.Store(address, kRecorded | decision::kMeasured);
    for (uint32_t i = 0; i < kLimit; ++i) program.shared().short_calls.Add(address);
  }

  FakeProgram program;
  RecorderPool pool{&program.shared()};
  ModuleTable modules{&program.shared().decisions};
  filters::Config config;
  std::unique_ptr<filters::FunctionFilter> filter;
  std::unique_ptr<Decider> decider;
  std::unique_ptr<HookErasing> erasing;
  std::unique_ptr<QuietFunctions> quiet;
};

std::vector<uint64_t> FunctionsIn(const std::string& news) {
  std::vector<uint64_t> functions;
  for (size_t at = 0; at + sizeof(format::QuietEntry) <= news.size();
       at += sizeof(format::QuietEntry)) {
    format::QuietEntry entry;
    memcpy(&entry, news.data() + at, sizeof(entry));
    functions.push_back(entry.address);
  }
  return functions;
}

TEST_CASE("without memory a function falls quiet later, and is noted once") {
  bool has_failed = true;
  for (int succeed = 0; has_failed; ++succeed) {
    CAPTURE(succeed);
    Program program;
    program.CallOften(&First);
    program.CallOften(&Second);
    allocations_left = succeed;
    program.quiet->Look();
    has_failed = allocations_left < 0;
    allocations_left = -1;
    program.quiet->Look();
    std::vector<uint64_t> functions = FunctionsIn(program.quiet->TakeNews());
    std::sort(functions.begin(), functions.end());
    std::vector<uint64_t> expected = {reinterpret_cast<uint64_t>(&First),
                                      reinterpret_cast<uint64_t>(&Second)};
    std::sort(expected.begin(), expected.end());
    CHECK(functions == expected);
    CHECK(program.quiet->functions().size() == 2);
    for (const uint64_t function : expected) {
      CHECK(program.program.shared().short_calls.IsQuiet(function));
    }
    REQUIRE(succeed < 1000);
  }
}

}  // namespace
}  // namespace autotrace::test
