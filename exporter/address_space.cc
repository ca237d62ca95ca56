#include "exporter/address_space.h"

#include "absl/strings/str_format.h"
#include "exporter/byte_order.h"
#include "runtime/trace_format.h"
#include "symbolizer/function_name.h"

namespace autotrace::exporter {

absl::Status AddressSpace::AddFunctions(std::string_view payload) {
  while (!payload.empty()) {
    format::FunctionEntry entry;
    std::string_view name;
    if (!Take(&payload, &entry) || !TakePadded(&payload, entry.name_size, &name)) {
      return absl::DataLossError("a function entry is too short");
    }
    AddFunction(entry.address & format::kAddressMask, entry.module_id, name);
  }
  return absl::OkStatus();
}

void AddressSpace::AddFunction(uint64_t address, uint32_t module_id, std::string_view linker_name) {
  FunctionRecord*& known = functions_[{address, module_id}];
  if (known == nullptr || known->linker_name != linker_name) {
    known = &all_functions_.emplace_back();
    known->address = address;
    known->module_id = module_id;
    known->linker_name = linker_name;
    recent_functions_.erase(address);
    if (module_id != 0) functions_.erase({address, 0});
  }
  last_told_[address] = known;
}

AddressSpace::FunctionRecord* AddressSpace::FunctionAt(uint64_t address, uint64_t ticks) {
  Recent<FunctionRecord>& recent = recent_functions_[address];
  if (!recent.HoldsFor(ticks, modules_.version())) {
    const LoadedModules::Stay stay = modules_.FunctionsAt(address, ticks);
    recent = {FunctionOf(address, stay.module), modules_.version(), stay.begin, stay.end};
  }
  return recent.value;
}

AddressSpace::FunctionRecord* AddressSpace::FunctionOf(uint64_t address,
                                                       const LoadedModule* module) {
  FunctionRecord*& record = functions_[{address, module != nullptr ? module->id : 0}];
  if (record == nullptr && module == nullptr) {
    // Of a module whose own entry was lost.
    const auto told = last_told_.find(address);
    if (told != last_told_.end()) {
      record = &all_functions_.emplace_back();
      record->linker_name = told->second->linker_name;
    }
  }
  if (record == nullptr) record = &all_functions_.emplace_back();
  record->address = address;
  if (!record->resolved) Resolve(record, module);
  return record;
}

void AddressSpace::Resolve(FunctionRecord* record, const LoadedModule* module) {
  record->resolved = true;
  Function& function = record->function;
  if (!record->linker_name.empty()) function.name = symbolizer::QualifiedName(record->linker_name);
  if (module == nullptr) {
    if (function.name.empty()) function.name = absl::StrFormat("0x%x", record->address);
    return;
  }
  const uint64_t address = record->address - module->load_bias;
  function.module_path = module->file->path();
  if (function.name.empty()) function.name = module->file->FunctionName(address);
  module->file->LocateFunction(address, &function);
}

const CallSite* AddressSpace::CallSiteAt(uint64_t return_address, uint64_t ticks) {
  if (return_address == 0) return nullptr;
  Recent<const CallSite>& recent = recent_call_sites_[return_address];
  if (!recent.HoldsFor(ticks, modules_.version())) {
    const uint64_t call = return_address - 1;
    const LoadedModules::Stay stay = modules_.CodeAt(call, ticks);
    recent = {CallSiteOf(call, stay.module), modules_.version(), stay.begin, stay.end};
  }
  return recent.value;
}

const CallSite* AddressSpace::CallSiteOf(uint64_t call, const LoadedModule* module) {
  const CallSite*& call_site = call_sites_[{call, module != nullptr ? module->id : 0}];
  if (call_site == nullptr) {
    call_site = &all_call_sites_.emplace_back(
        CallSite{module != nullptr ? module->file->DescribeCall(call - module->load_bias)
                                   : absl::StrFormat("0x%x", call)});
  }
  return call_site;
}

std::string AddressSpace::StackText(const std::vector<uint64_t>& return_addresses, uint64_t ticks) {
  std::string text;
  for (const uint64_t return_address : return_addresses) {
    const CallSite* call_site = CallSiteAt(return_address, ticks);
    if (call_site == nullptr) continue;
    if (!text.empty()) text += '\n';
    text += call_site->description;
  }
  return text;
}

}  // namespace autotrace::exporter
