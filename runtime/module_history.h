// What of the kModule blocks that were written a reader must know who gets the blocks from here on
// only: the last coming and the last going of each module, and whatever came and went so lately
// that spans of that time may still be on their way. Not all of it, or the news of modules that
// come and go again and again would in the end be all there is. Background thread.
#ifndef AUTOTRACE_RUNTIME_MODULE_HISTORY_H_
#define AUTOTRACE_RUNTIME_MODULE_HISTORY_H_

#include <stdint.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/trace_format.h"

namespace autotrace {

class ModuleHistory {
 public:
  // The payload of a kModule block.
  void Add(std::string_view payload) { latest_.emplace_back(payload); }

  // All that was recorded when this pass of the drainer began has been passed on.
  void EndPass() {
    for (const std::string& payload : before_) Settle(payload);
    before_.swap(latest_);
    latest_.clear();
  }

  // Calls visit(payload) for each, later ones of one module last.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [id, module] : settled_) {
      if (!module.loaded.empty()) visit(std::string_view(module.loaded));
      if (!module.unloaded.empty()) visit(std::string_view(module.unloaded));
    }
    for (const std::string& payload : before_) visit(std::string_view(payload));
    for (const std::string& payload : latest_) visit(std::string_view(payload));
  }

 private:
  struct Module {
    std::string loaded;
    std::string unloaded;
  };

  void Settle(const std::string& payload);

  std::map<uint32_t, Module> settled_;  // by id
  std::vector<std::string> before_;     // of the pass before this one
  std::vector<std::string> latest_;     // of this pass
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_HISTORY_H_
