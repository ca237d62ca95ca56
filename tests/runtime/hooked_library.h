// Libraries of hooked_code.c, built with hooks in many ways, and what a run of them shows: the
// hooks of the test program write down who called them and for which function.
#ifndef AUTOTRACE_TESTS_RUNTIME_HOOKED_LIBRARY_H_
#define AUTOTRACE_TESTS_RUNTIME_HOOKED_LIBRARY_H_

#include <stdint.h>

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "runtime/hook_sites.h"
#include "runtime/module.h"

namespace autotrace {

struct HookCall {
  uint64_t function;
  uint64_t return_address;
  auto operator<=>(const HookCall&) const = default;
};

// How often each was made.
using HookCalls = std::map<HookCall, int>;

// Of __cyg_profile_func_enter and _exit in this program.
std::vector<HookAddress> HookAddresses();

// Paths of all variants.
const std::vector<std::string>& HookedLibraries();

// Loaded for as long as this lives.
class HookedLibrary {
 public:
  explicit HookedLibrary(const std::string& path);
  ~HookedLibrary();
  HookedLibrary(const HookedLibrary&) = delete;
  HookedLibrary& operator=(const HookedLibrary&) = delete;

  // Calls every function of it on every path.
  HookCalls Run() const;
  void RunUnseen() const { run_(); }

  // All that is found in its functions.
  HookSites FindAll(const HookSiteFinder& finder) const;

  const Module& module() const { return module_; }

 private:
  void* handle_;
  void (*run_)();
  Module module_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_TESTS_RUNTIME_HOOKED_LIBRARY_H_
