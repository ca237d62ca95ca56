// What readers are told about a module that is there or gone: the payload of a kModule block and of
// a kModule record. docs/trace-format.md, 3.3.
#ifndef AUTOTRACE_RUNTIME_MODULE_PAYLOAD_H_
#define AUTOTRACE_RUNTIME_MODULE_PAYLOAD_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "runtime/module.h"
#include "runtime/trace_format.h"

namespace autotrace {

struct ModuleChange {
  const Module* module;
  uint64_t ticks;  // when it was noticed
  bool unloaded;   // else loaded
};

// Async-signal-safe; 4.5 KB of stack.
class ModulePayload {
 public:
  // Longer paths are cut.
  explicit ModulePayload(const ModuleChange& change, size_t longest_path = sizeof(Module::path));

  std::string_view bytes() const { return {bytes_, size_}; }

 private:
  static constexpr size_t kLongestBuildId = 256;  // they are 20 bytes; longer ones are cut

  size_t size_ = 0;
  char bytes_[sizeof(format::ModuleEntry) + sizeof(Module::path) + kLongestBuildId];
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_PAYLOAD_H_
