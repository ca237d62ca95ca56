// What lies at a process's run-time addresses: modules, functions and call sites as its blocks told
// them. Names, files and lines are looked up when an address is first asked for, and once.
//
// What is handed out stays valid as long as this object, also when a module is unloaded and
// another one takes its place.
#ifndef AUTOTRACE_EXPORTER_ADDRESS_SPACE_H_
#define AUTOTRACE_EXPORTER_ADDRESS_SPACE_H_

#include <stdint.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
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
  explicit AddressSpace(ModuleFiles* files) : files_(files) {}

  // Payloads of kModule and kFunctions blocks. Entries that repeat what is known change nothing.
  // DataLoss when they end too early; what stood before counts.
  absl::Status AddModule(std::string_view payload);
  absl::Status AddFunctions(std::string_view payload);

  // Never null. The record is resolved.
  FunctionRecord* FunctionAt(uint64_t address);
  // For a return address; null for 0.
  const CallSite* CallSiteAt(uint64_t return_address);
  // Return addresses, innermost first, as one call site per line.
  std::string StackText(const std::vector<uint64_t>& return_addresses);

 private:
  struct Module {
    uint32_t id = 0;
    uint64_t load_bias = 0;
    uint64_t start = 0;
    uint64_t end = 0;
    ModuleFile* file = nullptr;
  };

  void Insert(const Module& module);
  const Module* ModuleAt(uint64_t address) const;
  void AddFunction(uint64_t address, uint32_t module_id, std::string_view linker_name);
  void Resolve(FunctionRecord* record);

  ModuleFiles* const files_;
  absl::flat_hash_map<uint32_t, Module> modules_;  // by id, the newest of each
  absl::btree_map<uint64_t, Module> by_start_;     // do not overlap: the newest won
  absl::flat_hash_map<uint64_t, FunctionRecord*> functions_;
  absl::flat_hash_map<uint64_t, const CallSite*> call_sites_;
  std::deque<FunctionRecord> all_functions_;
  std::deque<CallSite> all_call_sites_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_ADDRESS_SPACE_H_
