// A binary that is or was loaded. Never freed, so that pointers to it, and names in its symbol
// table, stay valid; a binary that comes back to its old place is the same Module again.
#ifndef AUTOTRACE_RUNTIME_MODULE_H_
#define AUTOTRACE_RUNTIME_MODULE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string_view>

#include "runtime/decision_table.h"
#include "runtime/module_identity.h"
#include "symbolizer/module_image.h"

namespace autotrace {

struct Module {
  // Set before others see it.
  uint32_t id = 0;  // 1, 2, ...
  bool main_program = false;
  bool lasts = false;  // as long as the program; see lasting_code.h
  uint64_t load_bias = 0;
  uint64_t start = 0;  // mapped range
  uint64_t end = 0;
  ModuleIdentity identity;
  uint64_t loader_name_hash = 0;
  size_t path_size = 0;
  char path[4096];
  symbolizer::ModuleImage image;

  std::atomic<const void*> link_map{nullptr};  // another one after it came back

  // Of one that can be unloaded: all decisions about its functions, for when it comes back. Those
  // that hooks look up may be gone from the session's table at any time. Without memory there are
  // none, and what was forgotten is decided again.
  bool keeps_decisions = false;
  DecisionTable decisions;
  // Some of them have been in the session's table.
  std::atomic<bool> decided{false};

  // ---- What readers know of it. Ticks; 0: never.
  // When it was last told by a thread that was running its code.
  std::atomic<uint64_t> told{0};
  // For the background thread, to be told by it: there since this moment.
  std::atomic<uint64_t> there_since{0};
  std::atomic<bool> to_tell{false};
  // Noticed to be gone by the background thread, and not seen since.
  std::atomic<bool> gone{false};
  std::atomic<uint64_t> gone_since{0};
  // How often a thread that was running its code took notice of it: when this changes while the
  // background thread looks, it is there.
  std::atomic<uint64_t> sightings{0};

  std::string_view path_view() const { return {path, path_size}; }
  bool Overlaps(uint64_t other_start, uint64_t other_end) const {
    return start < other_end && other_start < end;
  }
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_H_
