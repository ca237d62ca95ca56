// A binary that is or was loaded. Never freed, so that pointers to it, and names in its symbol
// table, stay valid; a binary that comes back to its old place is the same Module again.
#ifndef AUTOTRACE_RUNTIME_MODULE_H_
#define AUTOTRACE_RUNTIME_MODULE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string_view>

#include "runtime/module_identity.h"
#include "symbolizer/module_image.h"

namespace autotrace {

struct Module {
  enum class State : uint32_t {
    kLoaded,
    kUnloaded,
    kChanging,  // one thread is taking it from one of these to the other; nobody waits for it
  };

  uint32_t id = 0;  // 1, 2, ...
  bool main_program = false;
  std::atomic<const void*> link_map{nullptr};  // another one after it came back
  uint64_t load_bias = 0;
  uint64_t start = 0;  // mapped range
  uint64_t end = 0;
  ModuleIdentity identity;
  uint64_t loader_name_hash = 0;
  size_t path_size = 0;
  char path[4096];
  symbolizer::ModuleImage image;

  std::atomic<State> state{State::kLoaded};
  // How often a function of it was decided about. Where none was, it does not matter when another
  // binary takes its place.
  std::atomic<size_t> decided{0};
  std::atomic<uint64_t> loaded_ticks{0};    // when readers were last told that it is there
  std::atomic<uint64_t> unloaded_ticks{0};  // when it was noticed to be gone, in kUnloaded
  std::atomic<bool> told{false};            // readers have been told that it is there,
  std::atomic<bool> unload_told{false};     // and that it is gone
  // While it is unloaded, the decisions about its functions, for its return. The memory is there
  // before, because what is mapped when it has gone lies in its place, and it comes back elsewhere.
  // Owned by who holds kChanging; null: none, or no memory.
  uint64_t* kept_decisions = nullptr;
  size_t kept_count = 0;
  size_t kept_capacity = 0;

  std::string_view path_view() const { return {path, path_size}; }
  bool Overlaps(uint64_t other_start, uint64_t other_end) const {
    return start < other_end && other_start < end;
  }
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_H_
