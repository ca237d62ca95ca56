// What lay at a process's run-time addresses, and when: functions and call sites as its blocks told
// them. Names, files and lines are looked up when an address is first asked for, and once for each
// module that was there. Times are in ticks of the recorder's clock.
//
// What is handed out stays valid as long as this object, also when a module is unloaded and
// another one takes its place.
#ifndef AUTOTRACE_EXPORTER_ADDRESS_SPACE_H_
#define AUTOTRACE_EXPORTER_ADDRESS_SPACE_H_

#include <stdint.h>

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "exporter/loaded_modules.h"
#include "exporter/module_files.h"
#include "exporter/span.h"

namespace autotrace::exporter {

class AddressSpace {
 public:
  // A function and what the decoder remembers with it.
  struct FunctionRecord {
    Function function;
    uint64_t address = 0;
    uint32_t module_id = 0;   // 0: not told
    std::string linker_name;  // empty: not told
    bool resolved = false;
    bool pipeline_known = false;  // is `pipeline_id` set?
    std::string pipeline_id;
  };

  // Does not own `files`.
  explicit AddressSpace(ModuleFiles* files) : modules_(files) {}

  // Payloads of kModule and kFunctions blocks. Entries that repeat what is known change nothing.
  // DataLoss when they end too early; what stood before counts.
  absl::Status AddModule(std::string_view payload) { return modules_.Add(payload); }
  absl::Status AddFunctions(std::string_view payload);

  // Of a call that began at this time. Never null. The record is resolved.
  FunctionRecord* FunctionAt(uint64_t address, uint64_t ticks);
  // All that was told or asked for so far; those that were not asked for have no name of their own.
  const std::deque<FunctionRecord>& functions() const { return all_functions_; }
  // For a return address that was on a stack at this time; null for 0.
  const CallSite* CallSiteAt(uint64_t return_address, uint64_t ticks);
  // Return addresses that were on a stack at this time, innermost first, as one call site per line.
  std::string StackText(const std::vector<uint64_t>& return_addresses, uint64_t ticks);

 private:
  // Address and module id; 0: in none that is known.
  using Key = std::pair<uint64_t, uint32_t>;
  // The last answer for an address, which most questions get again.
  template <typename T>
  struct Recent {
    T* value = nullptr;
    uint64_t version = 0;  // of the modules
    uint64_t begin = 0;
    uint64_t end = 0;

    bool HoldsFor(uint64_t ticks, uint64_t present_version) const {
      return version == present_version && begin <= ticks && ticks < end;
    }
  };

  void AddFunction(uint64_t address, uint32_t module_id, std::string_view linker_name);
  FunctionRecord* FunctionOf(uint64_t address, const LoadedModule* module);
  const CallSite* CallSiteOf(uint64_t call, const LoadedModule* module);
  static void Resolve(FunctionRecord* record, const LoadedModule* module);

  LoadedModules modules_;
  absl::flat_hash_map<Key, FunctionRecord*> functions_;
  absl::flat_hash_map<uint64_t, FunctionRecord*> last_told_;  // by address
  absl::flat_hash_map<Key, const CallSite*> call_sites_;
  absl::flat_hash_map<uint64_t, Recent<FunctionRecord>> recent_functions_;
  absl::flat_hash_map<uint64_t, Recent<const CallSite>> recent_call_sites_;
  std::deque<FunctionRecord> all_functions_;
  std::deque<CallSite> all_call_sites_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_ADDRESS_SPACE_H_
