#include "exporter/address_space.h"

#include "absl/strings/str_format.h"
#include "exporter/byte_order.h"
#include "runtime/trace_format.h"
#include "symbolizer/function_name.h"

namespace autotrace::exporter {

absl::Status AddressSpace::AddModule(std::string_view payload) {
  format::ModuleEntry entry;
  if (!Take(&payload, &entry) || payload.size() < entry.path_size ||
      payload.size() - entry.path_size < entry.build_id_size) {
    return absl::DataLossError("a module entry is too short");
  }
  const std::string path(payload.substr(0, entry.path_size));
  const std::string build_id(payload.substr(entry.path_size, entry.build_id_size));
  const Module module = {entry.id, entry.load_bias, entry.start, entry.end,
                         files_->Get(path, build_id)};
  const auto known = modules_.find(entry.id);
  if (known != modules_.end() && known->second.file == module.file &&
      known->second.start == module.start && known->second.end == module.end &&
      known->second.load_bias == module.load_bias) {
    return absl::OkStatus();
  }
  modules_[entry.id] = module;
  if (module.start < module.end) Insert(module);
  return absl::OkStatus();
}

// A module that was unloaded stays until something else is mapped over it: records of its functions
// may come later than the news that it is gone.
void AddressSpace::Insert(const Module& module) {
  auto overlapped = by_start_.lower_bound(module.start);
  if (overlapped != by_start_.begin()) {
    const auto before = std::prev(overlapped);
    if (before->second.end > module.start) overlapped = before;
  }
  bool replaced = false;
  while (overlapped != by_start_.end() && overlapped->first < module.end) {
    overlapped = by_start_.erase(overlapped);
    replaced = true;
  }
  by_start_.emplace(module.start, module);
  const auto inside = [&](uint64_t address) {
    return module.start <= address && address < module.end;
  };
  if (!replaced) return;
  absl::erase_if(call_sites_, [&](const auto& entry) { return inside(entry.first - 1); });
  absl::erase_if(functions_, [&](const auto& entry) {
    return inside(entry.first) && entry.second->module_id != module.id;
  });
}

const AddressSpace::Module* AddressSpace::ModuleAt(uint64_t address) const {
  auto after = by_start_.upper_bound(address);
  if (after == by_start_.begin()) return nullptr;
  const Module& module = std::prev(after)->second;
  return address < module.end ? &module : nullptr;
}

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
  // A module that another one has replaced: its functions are being repeated, not found.
  const Module* present = ModuleAt(address);
  if (present != nullptr && present->id != module_id && modules_.contains(module_id)) return;
  FunctionRecord*& known = functions_[address];
  if (known != nullptr && known->module_id == module_id && known->linker_name == linker_name) {
    return;
  }
  FunctionRecord& record = all_functions_.emplace_back();
  record.address = address;
  record.module_id = module_id;
  record.linker_name = linker_name;
  known = &record;
}

AddressSpace::FunctionRecord* AddressSpace::FunctionAt(uint64_t address) {
  FunctionRecord*& record = functions_[address];
  if (record == nullptr) {
    record = &all_functions_.emplace_back();
    record->address = address;
  }
  if (!record->resolved) Resolve(record);
  return record;
}

void AddressSpace::Resolve(FunctionRecord* record) {
  record->resolved = true;
  const Module* module = ModuleAt(record->address);
  if (const auto told = modules_.find(record->module_id); told != modules_.end()) {
    module = &told->second;
  }
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

const CallSite* AddressSpace::CallSiteAt(uint64_t return_address) {
  if (return_address == 0) return nullptr;
  const CallSite*& call_site = call_sites_[return_address];
  if (call_site == nullptr) {
    const uint64_t call = return_address - 1;
    const Module* module = ModuleAt(call);
    call_site = &all_call_sites_.emplace_back(
        CallSite{module != nullptr ? module->file->DescribeCall(call - module->load_bias)
                                   : absl::StrFormat("0x%x", call)});
  }
  return call_site;
}

std::string AddressSpace::StackText(const std::vector<uint64_t>& return_addresses) {
  std::string text;
  for (const uint64_t return_address : return_addresses) {
    const CallSite* call_site = CallSiteAt(return_address);
    if (call_site == nullptr) continue;
    if (!text.empty()) text += '\n';
    text += call_site->description;
  }
  return text;
}

}  // namespace autotrace::exporter
