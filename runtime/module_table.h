// The loaded binaries that traced functions live in.
//
// Those present at start are added then; later ones when a function of theirs is first seen, on the
// traced thread, through _dl_find_object (glibc 2.35 and later: lock-free and async-signal-safe).
// dlopen is not interposed. Entries are never removed, so pointers stay valid.
#ifndef AUTOTRACE_RUNTIME_MODULE_TABLE_H_
#define AUTOTRACE_RUNTIME_MODULE_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string>
#include <string_view>

#include "symbolizer/module_image.h"

namespace autotrace {

struct Module {
  uint32_t id = 0;  // 1, 2, ...
  bool main_program = false;
  const void* link_map = nullptr;
  uint64_t load_bias = 0;
  uint64_t start = 0;  // mapped range
  uint64_t end = 0;
  uint64_t ticks = 0;                  // when it was noticed
  std::atomic<bool> announced{false};  // the background thread has passed it on
  size_t path_size = 0;
  char path[4096];
  symbolizer::ModuleImage image;

  std::string_view path_view() const { return {path, path_size}; }
};

class ModuleTable {
 public:
  // Adds what is loaded now. At start only.
  void AddLoaded(const std::string& executable);

  // The module of this address, added if it is new; null when no binary is there or the table is
  // full. Async-signal-safe.
  Module* Find(uint64_t address);

  size_t size() const;
  // Null while another thread is still filling it in. index < size().
  Module* at(size_t index) const { return modules_[index].load(std::memory_order_acquire); }

 private:
  static constexpr size_t kCapacity = 8192;

  Module* Add(const void* link_map, uint64_t start, uint64_t end);

  std::string executable_;
  std::atomic<size_t> count_{0};
  std::atomic<Module*> modules_[kCapacity] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_MODULE_TABLE_H_
