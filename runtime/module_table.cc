#include "runtime/module_table.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>

#include <algorithm>
#include <new>

#include "runtime/clock.h"
#include "runtime/memory.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {
namespace {

void SetPath(Module* module, std::string_view name) {
  size_t size = 0;
  if (!name.empty() && name[0] != '/') {
    // The loader keeps relative names as they were given; make them independent of chdir.
    const long result =
        raw::Syscall(SYS_getcwd, reinterpret_cast<long>(module->path), sizeof(module->path) - 1);
    if (result > 1) {
      size = static_cast<size_t>(result) - 1;  // counts the zero
      module->path[size++] = '/';
    }
  }
  const size_t part = std::min(name.size(), sizeof(module->path) - 1 - size);
  memcpy(module->path + size, name.data(), part);
  module->path_size = size + part;
  module->path[module->path_size] = '\0';
}

}  // namespace

void ModuleTable::AddLoaded(const std::string& executable) {
  executable_ = executable;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* table) {
        // Any mapped address of it will do.
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
          static_cast<ModuleTable*>(table)->Find(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
          break;
        }
        return 0;
      },
      this);
}

size_t ModuleTable::size() const {
  return std::min(count_.load(std::memory_order_acquire), kCapacity);
}

Module* ModuleTable::Find(uint64_t address) {
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return nullptr;
  const void* link_map = found.dlfo_link_map;
  const auto start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
  for (size_t i = size(); i > 0; --i) {
    Module* module = at(i - 1);
    if (module != nullptr && module->link_map == link_map && module->start == start) return module;
  }
  return Add(link_map, start, reinterpret_cast<uint64_t>(found.dlfo_map_end));
}

Module* ModuleTable::Add(const void* link_map, uint64_t start, uint64_t end) {
  // Two threads may add the same module at once; then it stands here twice, which harms nothing.
  const size_t index = count_.fetch_add(1, std::memory_order_acq_rel);
  if (index >= kCapacity) return nullptr;
  void* memory = MapMemory(sizeof(Module));
  if (memory == nullptr) return nullptr;
  auto* module = new (memory) Module;
  const auto* map = static_cast<const struct link_map*>(link_map);
  module->id = static_cast<uint32_t>(index) + 1;
  module->link_map = link_map;
  module->load_bias = map->l_addr;
  module->start = start;
  module->end = end;
  module->ticks = Now();
  module->main_program = map->l_name == nullptr || map->l_name[0] == '\0';
  SetPath(module, module->main_program ? std::string_view(executable_) : map->l_name);
  module->image.Map(module->path);
  modules_[index].store(module, std::memory_order_release);
  return module;
}

}  // namespace autotrace
