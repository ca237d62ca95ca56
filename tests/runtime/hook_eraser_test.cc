#include "runtime/hook_eraser.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/runtime/hooked_library.h"

namespace autotrace {
namespace {

HookEraser LoadedEraser() {
  HookEraser eraser(HookAddresses());
  std::string reason;
  const bool loaded = eraser.Load(&reason);
  INFO(reason);
  REQUIRE(loaded);
  return eraser;
}

// Says so as the decider does: from where each hook of the function was called.
void Decide(HookEraser* eraser, const Module& module, const HookCalls& calls, uint64_t function,
            bool wanted, bool was_wanted = false) {
  for (const auto& [call, count] : calls) {
    if (call.function != function) continue;
    // A hook that is the last thing its function does returns to that one's caller.
    symbolizer::Symbol symbol;
    const bool known =
        module.image.FindFunction(call.return_address - 1 - module.load_bias, &symbol);
    if (known) eraser->Decide(module, function, call.return_address, wanted, was_wanted);
  }
}

std::set<uint64_t> FunctionsOf(const HookCalls& calls) {
  std::set<uint64_t> functions;
  for (const auto& [call, count] : calls) functions.insert(call.function);
  return functions;
}

HookCalls Without(HookCalls calls, uint64_t function) {
  std::erase_if(calls, [&](const auto& call) { return call.first.function == function; });
  return calls;
}

TEST_CASE("a function that is not wanted has no hooks, whatever it was inlined into") {
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    const HookedLibrary library(path);
    const HookCalls before = library.Run();
    for (const uint64_t function : FunctionsOf(before)) {
      HookEraser eraser = LoadedEraser();
      Decide(&eraser, library.module(), before, function, false);
      eraser.Apply();
      CHECK(library.Run() == Without(before, function));
      CHECK(eraser.counts().functions == 1);
      CHECK(eraser.counts().left() == 0);
      Decide(&eraser, library.module(), before, function, true);
      eraser.Apply();
      CHECK(library.Run() == before);
      CHECK(eraser.counts().erased == 0);
    }
  }
}

size_t CallsOf(const HookCalls& calls, uint64_t function) {
  size_t sum = 0;
  for (const auto& [call, count] : calls) sum += call.function == function ? count : 0;
  return sum;
}

TEST_CASE("while a call of a function is open the hooks at its ends stay") {
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    const HookedLibrary library(path);
    const HookCalls before = library.Run();
    for (const uint64_t function : FunctionsOf(before)) {
      HookEraser eraser = LoadedEraser();
      Decide(&eraser, library.module(), before, function, true);
      eraser.Apply();
      CHECK_FALSE(eraser.asks_what_is_open());
      Decide(&eraser, library.module(), before, function, false, /*was_wanted=*/true);
      CHECK(eraser.asks_what_is_open());
      for (int pass = 0; pass < 10; ++pass) eraser.Apply(OpenFunctions({{function, 1}}));
      CHECK(2 * CallsOf(library.Run(), function) == CallsOf(before, function));
      for (int pass = 0; pass < 10; ++pass) eraser.Apply();
      CHECK(library.Run() == Without(before, function));
      CHECK_FALSE(eraser.asks_what_is_open());
      Decide(&eraser, library.module(), before, function, true);
      eraser.Apply();
      CHECK(library.Run() == before);
    }
  }
}

TEST_CASE("restoring brings back all hooks") {
  const HookedLibrary library(HookedLibraries().front());
  const HookCalls before = library.Run();
  HookEraser eraser = LoadedEraser();
  for (const uint64_t function : FunctionsOf(before)) {
    Decide(&eraser, library.module(), before, function, false);
  }
  eraser.Apply();
  CHECK(library.Run().empty());
  eraser.RestoreAll();
  CHECK(library.Run() == before);
}

TEST_CASE("hooks of a library that came again are erased again") {
  HookEraser eraser = LoadedEraser();
  for (int round = 0; round < 3; ++round) {
    const HookedLibrary library(HookedLibraries().front());
    const HookCalls before = library.Run();
    for (const uint64_t function : FunctionsOf(before)) {
      Decide(&eraser, library.module(), before, function, false);
    }
    eraser.Apply();
    CHECK(library.Run().empty());
    eraser.Forget(library.module());
    CHECK(eraser.counts().erased == 0);
  }
}

TEST_CASE("hooks that are called for the first time after the look are erased a little later") {
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    HookEraser eraser = LoadedEraser();
    // A hook that was never called is not bound yet.
    const HookedLibrary library(path);
    const HookedLibrary* const loaded = &library;
    symbolizer::Symbol leaf;
    struct Search {
      symbolizer::Symbol* found;
    } search = {&leaf};
    loaded->module().image.ForEachFunction(
        [](void* context, const symbolizer::Symbol& symbol) {
          if (symbol.name == "leaf") *static_cast<Search*>(context)->found = symbol;
        },
        &search);
    REQUIRE(leaf.size > 0);
    const uint64_t function = loaded->module().load_bias + leaf.address;
    eraser.Decide(loaded->module(), function, function + leaf.size / 2, false);
    eraser.Apply();
    library.RunUnseen();
    for (int pass = 0; pass < 10; ++pass) eraser.Apply();
    for (const auto& [call, count] : library.Run()) {
      const bool inside = call.return_address - function < leaf.size;
      CHECK_FALSE(inside);
    }
    eraser.RestoreAll();
  }
}

}  // namespace
}  // namespace autotrace
