// Compares what is found by disassembly with what a run of the same code shows.
#include "runtime/hook_sites.h"

#include <string.h>
#include <sys/mman.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/code_writer.h"
#include "tests/runtime/hooked_library.h"

namespace autotrace {
namespace {

HookSiteFinder LoadedFinder() {
  HookSiteFinder finder(HookAddresses());
  std::string reason;
  const bool loaded = finder.Load(&reason);
  INFO(reason);
  REQUIRE(loaded);
  return finder;
}

std::set<uint64_t> FunctionsOf(const HookCalls& calls) {
  std::set<uint64_t> functions;
  for (const auto& [call, count] : calls) functions.insert(call.function);
  return functions;
}

bool Erase(const std::vector<HookSite>& sites, bool back = false) {
  std::vector<CodeChange> changes;
  for (const HookSite& site : sites) {
    changes.push_back(
        {site.address, back ? site.erased : site.original, back ? site.original : site.erased});
  }
  if (!ChangeCode(&changes, PROT_READ | PROT_EXEC)) return false;
  for (const CodeChange& change : changes) {
    if (!change.made) return false;
  }
  return true;
}

TEST_CASE("the function that a found call passes is the one that a run shows") {
  const HookSiteFinder finder = LoadedFinder();
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    const HookedLibrary library(path);
    const HookCalls calls = library.Run();
    const HookSites found = library.FindAll(finder);
    std::map<uint64_t, uint64_t> functions;  // by return address
    for (const HookSite& site : found.sites) {
      if (site.original != 0xe9 && site.erased != 0xc3) {
        functions[site.address + (site.original == 0xe8 ? 5 : 6)] = site.function;
      }
    }
    size_t known = 0;
    for (const auto& [call, count] : calls) {
      const auto site = functions.find(call.return_address);
      if (site == functions.end()) continue;
      ++known;
      CHECK(site->second == call.function);
    }
    CHECK(known > 10);
  }
}

TEST_CASE("every call of a hook is found and its function known") {
  const HookSiteFinder finder = LoadedFinder();
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    const HookedLibrary library(path);
    library.Run();  // fills in the linkage table
    const HookSites found = library.FindAll(finder);
    CHECK(found.unknown_function == 0);
    CHECK(found.unknown_form == 0);
  }
}

TEST_CASE("erased calls are not made, all others are, and restoring brings them back") {
  const HookSiteFinder finder = LoadedFinder();
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    const HookedLibrary library(path);
    const HookCalls before = library.Run();
    const HookSites found = library.FindAll(finder);
    // One function after the other.
    for (const uint64_t function : FunctionsOf(before)) {
      std::vector<HookSite> sites;
      for (const HookSite& site : found.sites) {
        if (site.function == function) sites.push_back(site);
      }
      REQUIRE(!sites.empty());
      REQUIRE(Erase(sites));
      HookCalls expected = before;
      for (auto it = expected.begin(); it != expected.end();) {
        it = it->first.function == function ? expected.erase(it) : std::next(it);
      }
      CHECK(library.Run() == expected);
      REQUIRE(Erase(sites, /*back=*/true));
    }
    CHECK(library.Run() == before);
    // All of them.
    REQUIRE(Erase(found.sites));
    CHECK(library.Run().empty());
    REQUIRE(Erase(found.sites, /*back=*/true));
    CHECK(library.Run() == before);
  }
}

TEST_CASE("code that runs on other threads may be erased and restored") {
  const HookSiteFinder finder = LoadedFinder();
  for (const std::string& path : HookedLibraries()) {
    INFO(path);
    const HookedLibrary library(path);
    library.Run();
    const HookSites found = library.FindAll(finder);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        while (!stop.load(std::memory_order_relaxed)) library.RunUnseen();
      });
    }
    bool made = true;
    for (int i = 0; i < 200; ++i) {
      made = made && Erase(found.sites) && Erase(found.sites, /*back=*/true);
    }
    stop.store(true);
    for (std::thread& thread : threads) thread.join();
    CHECK(made);
    CHECK(!library.Run().empty());
  }
}

TEST_CASE("bytes that are no instructions are left alone") {
  const HookSiteFinder finder = LoadedFinder();
  alignas(16) static const uint8_t code[] = {0x90, 0x06, 0x90, 0x90};  // 06: not in 64-bit mode
  const auto begin = reinterpret_cast<uint64_t>(code);
  HookSites found;
  const AddressRange whole = {begin, begin + sizeof(code)};
  CHECK_FALSE(finder.Find(whole, LinkedBinary({whole}, {}), &found));
  // Cut in the middle of an instruction.
  alignas(16) static const uint8_t cut[] = {0x90, 0xe8, 0, 0};
  const auto cut_begin = reinterpret_cast<uint64_t>(cut);
  const AddressRange cut_whole = {cut_begin, cut_begin + sizeof(cut)};
  CHECK_FALSE(finder.Find(cut_whole, LinkedBinary({cut_whole}, {}), &found));
  CHECK(found.sites.empty());
}

TEST_CASE("nothing is read but code and what the dynamic linker fills in") {
  const HookSiteFinder finder = LoadedFinder();
  // mov rdi, [rip+0x0ff9]; call [rip+0x1ff3]; jmp -> where nothing is mapped any more.
  auto* pages = static_cast<uint8_t*>(
      mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(pages != MAP_FAILED);
  constexpr uint8_t kCode[] = {0x48, 0x8b, 0x3d, 0xf9, 0x0f, 0, 0,
                               0xff, 0x15, 0xf3, 0x1f, 0,    0, 0xc3};
  memcpy(pages, kCode, sizeof(kCode));
  REQUIRE(mprotect(pages + 4096, 2 * 4096, PROT_NONE) == 0);
  const auto begin = reinterpret_cast<uint64_t>(pages);
  const AddressRange body = {begin, begin + sizeof(kCode)};
  HookSites found;
  CHECK(finder.Find(body, LinkedBinary({body}, {}), &found));
  CHECK(found.sites.empty());
  munmap(pages, 3 * 4096);
}

TEST_CASE("a byte that is not what it was expected to be stays") {
  auto* page = static_cast<uint8_t*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(page != MAP_FAILED);
  page[0] = 0xcc;  // a debugger's breakpoint
  page[1] = 0xe8;
  REQUIRE(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
  const auto address = reinterpret_cast<uint64_t>(page);
  std::vector<CodeChange> changes = {{address + 1, 0xe8, 0xa9}, {address, 0xe8, 0xa9}};
  CHECK(ChangeCode(&changes, PROT_READ | PROT_EXEC));
  CHECK(page[0] == 0xcc);
  CHECK(page[1] == 0xa9);
  CHECK_FALSE(changes[0].made);
  CHECK(changes[1].made);
  munmap(page, 4096);
}

}  // namespace
}  // namespace autotrace
