// News for readers about what was loaded and unloaded. Whoever notices a change writes it into the
// ring's metadata at once, so that a kill in the next moment leaves it there, and queues it for the
// background thread, which passes it on to the sinks.
#ifndef AUTOTRACE_RUNTIME_MODULE_CHANGES_H_
#define AUTOTRACE_RUNTIME_MODULE_CHANGES_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "runtime/event_queue.h"
#include "runtime/module.h"
#include "runtime/ring.h"
#include "runtime/trace_format.h"

namespace autotrace {

struct ModuleChange {
  const Module* module;
  uint64_t ticks;  // when it was noticed
  bool unloaded;   // else loaded
  bool in_ring;    // the ring has it already
};

// A kModule block of a change, header and padding included.
class ModuleBlock {
 public:
  explicit ModuleBlock(const ModuleChange& change);

  std::string_view block() const { return {bytes_, size_}; }
  std::string_view payload() const { return {bytes_ + sizeof(format::BlockHeader), payload_size_}; }

 private:
  static constexpr size_t kLongestBuildId = 256;  // they are 20 bytes; longer ones are cut

  size_t payload_size_ = 0;
  size_t size_ = 0;
  char bytes_[sizeof(format::BlockHeader) + sizeof(format::ModuleEntry) + sizeof(Module::path) +
              kLongestBuildId + 8] = {};
};

class ModuleChanges {
 public:
  explicit ModuleChanges(Ring* ring) : ring_(ring) {}

  // The module was loaded or unloaded at this time. False when too many changes wait for the
  // background thread; then only the ring has it, if it had room. Any thread; async-signal-safe;
  // uses 5 KB of stack.
  bool Tell(const Module* module, bool unloaded, uint64_t ticks);
  // The oldest change that was not taken yet; false when there is none. Background thread.
  bool Next(ModuleChange* change) { return queue_.Pop(change); }
  // In a forked child, in which the writer of a change may be missing.
  void Clear() { queue_.Clear(); }

 private:
  Ring* const ring_;
  EventQueue<ModuleChange, 4096> queue_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_CHANGES_H_
