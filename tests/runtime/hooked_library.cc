#include "tests/runtime/hooked_library.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

namespace {

bool g_listening = false;
autotrace::HookCalls g_calls;

__attribute__((no_instrument_function)) void WriteDown(void* function, void* return_address) {
  if (!g_listening) return;
  ++g_calls[{reinterpret_cast<uint64_t>(function), reinterpret_cast<uint64_t>(return_address)}];
}

}  // namespace

extern "C" {
__attribute__((no_instrument_function)) void __cyg_profile_func_enter(void* function, void*) {
  WriteDown(function, __builtin_return_address(0));
}
__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void* function, void*) {
  WriteDown(function, __builtin_return_address(0));
}
}

namespace autotrace {

std::vector<HookAddress> HookAddresses() {
  return {{reinterpret_cast<uint64_t>(&__cyg_profile_func_enter), /*is_exit=*/false},
          {reinterpret_cast<uint64_t>(&__cyg_profile_func_exit), /*is_exit=*/true}};
}

const std::vector<std::string>& HookedLibraries() {
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

HookedLibrary::HookedLibrary(const std::string& path)
    : handle_(dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL)) {
  REQUIRE(handle_ != nullptr);
  run_ = reinterpret_cast<void (*)()>(dlsym(handle_, "hooked_code_run"));
  dl_find_object found;
  REQUIRE(_dl_find_object(reinterpret_cast<void*>(run_), &found) == 0);
  module_.start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
  module_.end = reinterpret_cast<uint64_t>(found.dlfo_map_end);
  module_.load_bias = static_cast<link_map*>(handle_)->l_addr;
  REQUIRE(module_.image.Map(path.c_str()));
}

HookedLibrary::~HookedLibrary() { dlclose(handle_); }

HookCalls HookedLibrary::Run() const {
  g_calls.clear();
  g_listening = true;
  run_();
  g_listening = false;
  return g_calls;
}

HookSites HookedLibrary::FindAll(const HookSiteFinder& finder) const {
  struct Context {
    const Module* module;
    const HookSiteFinder* finder;
    LinkedBinary binary;
    HookSites found;
    std::set<uint64_t> bodies;  // one may have several names
  } context = {&module_, &finder, {module_.start, module_.end, module_.load_bias}, {}, {}};
  module_.image.ForEachFunction(
      [](void* opaque, const symbolizer::Symbol& symbol) {
        auto* c = static_cast<Context*>(opaque);
        const uint64_t begin = c->module->load_bias + symbol.address;
        if (symbol.size == 0 || !c->bodies.insert(begin).second) return;
        CHECK(c->finder->Find({begin, begin + symbol.size}, c->binary, &c->found));
      },
      &context);
  return context.found;
}

}  // namespace autotrace
