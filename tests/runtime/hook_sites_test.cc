// Compares what is found by disassembly with what a run of the same code shows: the hooks of this
// program write down who called them and for which function.
#include "runtime/hook_sites.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <compare>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/code_writer.h"
#include "symbolizer/module_image.h"

namespace {

struct HookCall {
  uint64_t function;
  uint64_t return_address;
  auto operator<=>(const HookCall&) const = default;
};

bool g_listening = false;
std::map<HookCall, int> g_calls;

}  // namespace

extern "C" {
__attribute__((no_instrument_function)) void __cyg_profile_func_enter(void* function, void*) {
  if (!g_listening) return;
  ++g_calls[{reinterpret_cast<uint64_t>(function),
             reinterpret_cast<uint64_t>(__builtin_return_address(0))}];
}
__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void* function, void*) {
  if (!g_listening) return;
  ++g_calls[{reinterpret_cast<uint64_t>(function),
             reinterpret_cast<uint64_t>(__builtin_return_address(0))}];
}
}

namespace autotrace {
namespace {

using Range = HookSiteFinder::Range;

// A library of hooked_code.c, loaded for as long as this lives.
class HookedLibrary {
 public:
  explicit HookedLibrary(const std::string& path)
      : handle_(dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL)) {
    REQUIRE(handle_ != nullptr);
    run_ = reinterpret_cast<void (*)()>(dlsym(handle_, "hooked_code_run"));
    dl_find_object found;
    REQUIRE(_dl_find_object(reinterpret_cast<void*>(run_), &found) == 0);
    range_ = {reinterpret_cast<uint64_t>(found.dlfo_map_start),
              reinterpret_cast<uint64_t>(found.dlfo_map_end)};
    bias_ = static_cast<link_map*>(handle_)->l_addr;
    REQUIRE(image_.Map(path.c_str()));
  }
  ~HookedLibrary() { dlclose(handle_); }

  std::map<HookCall, int> Run() const {
    g_calls.clear();
    g_listening = true;
    run_();
    g_listening = false;
    return g_calls;
  }

  void RunQuietly() const { run_(); }

  HookSites FindAll(const HookSiteFinder& finder) const {
    struct Context {
      const HookedLibrary* library;
      const HookSiteFinder* finder;
      HookSites found;
      std::set<uint64_t> bodies;  // one may have several names
    } context = {this, &finder, {}, {}};
    image_.ForEachFunction(
        [](void* opaque, const symbolizer::Symbol& symbol) {
          auto* c = static_cast<Context*>(opaque);
          const uint64_t begin = c->library->bias_ + symbol.address;
          if (symbol.size == 0 || !c->bodies.insert(begin).second) return;
          CHECK(c->finder->Find({begin, begin + symbol.size}, c->library->range_, &c->found));
        },
        &context);
    return context.found;
  }

 private:
  void* handle_;
  void (*run_)();
  Range range_;
  uint64_t bias_;
  symbolizer::ModuleImage image_;
};

HookSiteFinder LoadedFinder() {
  HookSiteFinder finder({reinterpret_cast<uint64_t>(&__cyg_profile_func_enter),
                         reinterpret_cast<uint64_t>(&__cyg_profile_func_exit)});
  std::string reason;
  INFO(reason);
  REQUIRE(finder.Load(&reason));
  return finder;
}

const std::vector<std::string>& Libraries() {
  static const std::vector<std::string> libraries = [] {
    std::vector<std::string> paths;
    const std::string all = AUTOTRACE_TEST_HOOKED_CODE;
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find(':', at), all.size());
      paths.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return paths;
  }();
  return libraries;
}

std::set<uint64_t> FunctionsOf(const std::map<HookCall, int>& calls) {
  std::set<uint64_t> functions;
  for (const auto& [call, count] : calls) functions.insert(call.function);
  return functions;
}

bool Erase(std::vector<HookSite> sites, bool back = false) {
  std::vector<CodeChange> changes;
  for (const HookSite& site : sites) {
    changes.push_back({site.address, back ? site.erased : site.original,
                       back ? site.original : site.erased});
  }
  if (!ChangeCode(&changes, PROT_READ | PROT_EXEC)) return false;
  for (const CodeChange& change : changes) {
    if (!change.made) return false;
  }
  return true;
}

TEST_CASE("the function that a found call passes is the one that a run shows") {
  const HookSiteFinder finder = LoadedFinder();
  for (const std::string& path : Libraries()) {
    INFO(path);
    const HookedLibrary library(path);
    const std::map<HookCall, int> calls = library.Run();
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
  for (const std::string& path : Libraries()) {
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
  for (const std::string& path : Libraries()) {
    INFO(path);
    const HookedLibrary library(path);
    const std::map<HookCall, int> before = library.Run();
    const HookSites found = library.FindAll(finder);
    // One function after the other.
    for (const uint64_t function : FunctionsOf(before)) {
      std::vector<HookSite> sites;
      for (const HookSite& site : found.sites) {
        if (site.function == function) sites.push_back(site);
      }
      REQUIRE(!sites.empty());
      REQUIRE(Erase(sites));
      std::map<HookCall, int> expected = before;
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
  for (const std::string& path : Libraries()) {
    INFO(path);
    const HookedLibrary library(path);
    library.Run();
    const HookSites found = library.FindAll(finder);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        while (!stop.load(std::memory_order_relaxed)) library.RunQuietly();
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
  CHECK_FALSE(finder.Find({begin, begin + sizeof(code)}, {begin, begin + sizeof(code)}, &found));
  // Cut in the middle of an instruction.
  alignas(16) static const uint8_t cut[] = {0x90, 0xe8, 0, 0};
  const auto cut_begin = reinterpret_cast<uint64_t>(cut);
  CHECK_FALSE(finder.Find({cut_begin, cut_begin + sizeof(cut)},
                          {cut_begin, cut_begin + sizeof(cut)}, &found));
  CHECK(found.sites.empty());
}

TEST_CASE("a byte that is not what it was expected to be stays") {
  auto* page = static_cast<uint8_t*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
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
