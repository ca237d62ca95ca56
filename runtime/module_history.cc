#include "runtime/module_history.h"

#include <string.h>

namespace autotrace {

void ModuleHistory::Settle(const std::string& payload) {
  format::ModuleEntry entry;
  if (payload.size() < sizeof(entry)) return;
  memcpy(&entry, payload.data(), sizeof(entry));
  Module& module = settled_[entry.id];
  const bool unloaded = (entry.flags & format::kModuleUnloaded) != 0;
  (unloaded ? module.unloaded : module.loaded) = payload;
  if (!unloaded) module.unloaded.clear();
}

}  // namespace autotrace
