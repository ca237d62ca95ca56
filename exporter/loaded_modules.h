// Which binary was where, and when: what a process's kModule blocks say. Several may have been at
// one address one after the other. docs/trace-format.md, 3.3, has the rules.
#ifndef AUTOTRACE_EXPORTER_LOADED_MODULES_H_
#define AUTOTRACE_EXPORTER_LOADED_MODULES_H_

#include <stdint.h>

#include <deque>
#include <limits>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "exporter/module_files.h"

namespace autotrace::exporter {

struct LoadedModule {
  uint32_t id = 0;
  uint64_t load_bias = 0;
  uint64_t start = 0;
  uint64_t end = 0;
  ModuleFile* file = nullptr;

  bool Contains(uint64_t address) const { return start <= address && address < end; }
};

class LoadedModules {
 public:
  static constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

  // Does not own `files`.
  explicit LoadedModules(ModuleFiles* files) : files_(files) {}

  // The payload of a kModule block, in any order. One that repeats what is known changes nothing.
  // DataLoss when it ends too early.
  absl::Status Add(std::string_view payload);

  // An answer, and a time for which it is the same one: begin <= ticks < end.
  struct Stay {
    const LoadedModule* module = nullptr;  // null: none that is known; lives as long as this object
    uint64_t begin = 0;
    uint64_t end = kForever;
  };
  // The module of a function that was called at this time: the last one that had been noticed
  // there, or else the first one. A function's module is noticed before the function is recorded.
  Stay FunctionsAt(uint64_t address, uint64_t ticks) const;
  // The module that was at any address at this time, for return addresses: code of modules that
  // nobody traces may have been there after the one that is known was unloaded.
  Stay CodeAt(uint64_t address, uint64_t ticks) const;

  // Changes whenever an answer may have changed.
  uint64_t version() const { return version_; }

 private:
  // A module was noticed to be there, and so nothing else at its addresses, or to be gone.
  struct Change {
    uint64_t ticks = 0;
    bool unloaded = false;
    const LoadedModule* module = nullptr;
  };
  // A range of addresses, and all that happened in it, in order of time. Places do not overlap.
  struct Place {
    uint64_t end = 0;
    std::vector<Change> changes;
  };

  const Place* PlaceAt(uint64_t address) const;
  static size_t CountUntil(const std::vector<Change>& changes, uint64_t ticks);
  const LoadedModule* ModuleOf(const LoadedModule& told);
  std::vector<Change>& ChangesAt(uint64_t start, uint64_t end);

  ModuleFiles* const files_;
  std::deque<LoadedModule> all_modules_;
  absl::flat_hash_map<uint32_t, const LoadedModule*> by_id_;  // the newest of each
  absl::btree_map<uint64_t, Place> places_;                   // by start
  uint64_t version_ = 1;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_LOADED_MODULES_H_
