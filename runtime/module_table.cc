#include "runtime/module_table.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>

#include <algorithm>
#include <new>
#include <string_view>

#include "runtime/clock.h"
#include "runtime/memory.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {
namespace {

using State = Module::State;

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

// FNV-1a.
uint64_t HashOf(const char* text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; text != nullptr && *text != '\0'; ++text) {
    hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001b3;
  }
  return hash;
}

// From this state to kChanging: the caller makes the change, and ends it by storing a state.
bool BeginChange(Module* module, State from) {
  return module->state.compare_exchange_strong(from, State::kChanging, std::memory_order_acquire);
}
void EndChange(Module* module, State to) { module->state.store(to, std::memory_order_release); }

}  // namespace

// What the loader has at an address.
struct ModuleTable::Place {
  const struct link_map* map = nullptr;
  uint64_t start = 0;
  uint64_t end = 0;

  // False when no binary is there.
  bool LookUp(uint64_t address) {
    dl_find_object found;
    if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return false;
    map = found.dlfo_link_map;
    start = reinterpret_cast<uint64_t>(found.dlfo_map_start);
    end = reinterpret_cast<uint64_t>(found.dlfo_map_end);
    return true;
  }
  bool HasRangeOf(const Module& module) const { return module.start == start && module.end == end; }
  bool HasLinkMapOf(const Module& module) const {
    return module.link_map.load(std::memory_order_relaxed) == map;
  }
};

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

Module* ModuleTable::Find(uint64_t address) { return FindAt(address, false).module; }

ModuleTable::Found ModuleTable::FindRunning(uint64_t address) {
  const Found found = FindAt(address, true);
  if (found.module != nullptr && found.settled) CountDecision(found.module);
  return found;
}

ModuleTable::Found ModuleTable::FindAt(uint64_t address, bool running) {
  Place place;
  if (!place.LookUp(address)) return {nullptr, true};
  const uint64_t name = running ? HashOf(place.map->l_name) : 0;
  for (size_t i = size(); i > 0; --i) {
    Module* module = at(i - 1);
    if (module == nullptr || !place.HasRangeOf(*module)) continue;
    const State state = module->state.load(std::memory_order_acquire);
    if (state == State::kLoaded && !running && place.HasLinkMapOf(*module)) return {module, true};
    // The same link_map proves nothing: the loader may have got the same memory for another one.
    const bool same = running
                          ? module->loader_name_hash == name && module->identity.HoldsWhileLoaded()
                          : module->identity.Holds();
    if (!same) continue;
    module->link_map.store(place.map, std::memory_order_relaxed);
    // Nothing may be stored while another module's decisions about these addresses are being taken
    // out of the table: they would be taken for that one's.
    const bool alone = RetireOthers(module, place.start, place.end);
    bool settled = alone && state != State::kChanging;
    if (settled && state == State::kUnloaded) settled = Return(module);
    if (!settled && running) DropDecisions(place);
    // Whatever another thread is doing, and however long it is kept from going on.
    if (WasReplaced(*module)) TellLoad(module);
    return {module, settled};
  }
  const bool alone = RetireOthers(nullptr, place.start, place.end);
  if (!alone && running) DropDecisions(place);
  return {Add(place), alone};
}

// Does at once, without keeping them, what a thread that was stopped in the middle has not done
// yet.
void ModuleTable::DropDecisions(const Place& place) { decisions_->Forget(place.start, place.end); }

Module* ModuleTable::Add(const Place& place) {
  // Two threads may add the same module at once; then it stands here twice, which harms nothing.
  const size_t index = count_.fetch_add(1, std::memory_order_acq_rel);
  if (index >= kCapacity) return nullptr;
  void* memory = MapMemory(sizeof(Module));
  if (memory == nullptr) return nullptr;
  auto* module = new (memory) Module;
  const char* name = place.map->l_name;
  module->id = static_cast<uint32_t>(index) + 1;
  module->link_map.store(place.map, std::memory_order_relaxed);
  module->load_bias = place.map->l_addr;
  module->start = place.start;
  module->end = place.end;
  module->identity.Take(place.start);
  module->loader_name_hash = HashOf(name);
  module->main_program = name == nullptr || name[0] == '\0';
  SetPath(module, module->main_program ? std::string_view(executable_) : name);
  module->image.Map(module->path);
  TellLoad(module);
  modules_[index].store(module, std::memory_order_release);
  return module;
}

// ---- Going and coming back ---------------------------------------------------------------------

void ModuleTable::Check() {
  for (size_t i = 0; i < size(); ++i) {
    Module* module = at(i);
    if (module == nullptr || module->main_program) continue;
    if (module->state.load(std::memory_order_acquire) != State::kLoaded) continue;
    if (!IsThere(module)) Retire(module);
  }
}

void ModuleTable::BeforeClose(const void* handle) {
  for (size_t i = 0; i < size(); ++i) {
    Module* module = at(i);
    if (module == nullptr || module->main_program ||
        module->decided.load(std::memory_order_relaxed) == 0) {
      continue;
    }
    // Not by the module's link_map: others have had the same one.
    Place place;
    if (!place.LookUp(module->start) || place.map != handle || !place.HasRangeOf(*module) ||
        module->loader_name_hash != HashOf(place.map->l_name) ||
        !module->identity.HoldsWhileLoaded()) {
      continue;
    }
    Retire(module);
    // If it was retired before: a thread that was deciding then stored its decision afterwards.
    if (BeginChange(module, State::kUnloaded)) {
      TakeDecisions(module);
      EndChange(module, State::kUnloaded);
    } else {
      // Another thread is at it, and may have passed over that decision. This one is not kept.
      decisions_->Forget(module->start, module->end);
    }
  }
}

// One that came back after this has said that it is gone is found when a function of it is called.
bool ModuleTable::IsThere(Module* module) {
  Place place;
  if (!place.LookUp(module->start) || !place.HasRangeOf(*module)) return false;
  const bool same_map = place.HasLinkMapOf(*module);
  // Where nothing was decided, nothing can be wrong.
  if (same_map && module->decided.load(std::memory_order_relaxed) == 0) return true;
  if (!module->identity.Holds()) return false;
  if (!same_map) module->link_map.store(place.map, std::memory_order_relaxed);
  return true;
}

void ModuleTable::CountDecision(Module* module) {
  constexpr size_t kFirstCapacity = 512;  // a page
  const size_t decided = module->decided.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool is_full = decided >= kFirstCapacity && (decided & (decided - 1)) == 0;
  // Those without room are decided again after the module's return.
  if ((decided > 1 && !is_full) || module->main_program || !BeginChange(module, State::kLoaded)) {
    return;
  }
  const size_t capacity = std::max(kFirstCapacity, 2 * decided);
  void* memory = MapMemory(capacity * sizeof(uint64_t));
  if (memory != nullptr) {
    if (module->kept_decisions != nullptr) {
      UnmapMemory(module->kept_decisions, module->kept_capacity * sizeof(uint64_t));
    }
    module->kept_decisions = static_cast<uint64_t*>(memory);
    module->kept_capacity = capacity;
  }
  EndChange(module, State::kLoaded);
}

void ModuleTable::Retire(Module* module) {
  if (!BeginChange(module, State::kLoaded)) return;
  module->unloaded_ticks.store(Now(), std::memory_order_relaxed);
  TakeDecisions(module);
  EndChange(module, State::kUnloaded);
}

// Out of the table, to be kept; behind those that are kept already.
void ModuleTable::TakeDecisions(Module* module) {
  if (module->decided.load(std::memory_order_relaxed) == 0) return;
  module->kept_count +=
      decisions_->Forget(module->start, module->end, module->kept_decisions + module->kept_count,
                         module->kept_capacity - module->kept_count);
}

bool ModuleTable::Return(Module* module) {
  if (!BeginChange(module, State::kUnloaded)) {
    return module->state.load(std::memory_order_acquire) == State::kLoaded;
  }
  const bool unload_told = module->unload_told.exchange(false, std::memory_order_relaxed);
  if (unload_told || WasReplaced(*module)) TellLoad(module);
  for (size_t i = 0; i < module->kept_count; ++i) {
    decisions_->StoreEntry(module->kept_decisions[i]);
  }
  module->kept_count = 0;
  EndChange(module, State::kLoaded);
  return true;
}

// Have readers been told of another one in its place since they were told of this one? Its end need
// not have been told: another thread may have been at work on it then.
bool ModuleTable::WasReplaced(const Module& module) const {
  for (size_t i = 0; i < size(); ++i) {
    const Module* other = at(i);
    if (other != nullptr && other != &module && other->Overlaps(module.start, module.end) &&
        other->loaded_ticks.load(std::memory_order_relaxed) >=
            module.loaded_ticks.load(std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

// Whatever else was in this range is gone, and readers get to know it. False when another thread is
// at work on one of them.
bool ModuleTable::RetireOthers(const Module* module, uint64_t start, uint64_t end) {
  bool alone = true;
  for (size_t i = 0; i < size(); ++i) {
    Module* other = at(i);
    if (other == nullptr || other == module || !other->Overlaps(start, end)) continue;
    Retire(other);
    TellUnload(other);
    if (other->state.load(std::memory_order_acquire) == State::kChanging) alone = false;
  }
  return alone;
}

void ModuleTable::TellUnload(Module* module) {
  if (module->unload_told.load(std::memory_order_relaxed)) return;
  // So that it does not come back between the question and the news.
  if (!BeginChange(module, State::kUnloaded)) return;
  if (!module->unload_told.exchange(true, std::memory_order_relaxed)) {
    const uint64_t ticks = module->unloaded_ticks.load(std::memory_order_relaxed);
    if (!changes_.Tell(module, /*unloaded=*/true, ticks)) {
      module->told.store(false, std::memory_order_relaxed);
    }
  }
  EndChange(module, State::kUnloaded);
}

void ModuleTable::TellLoad(Module* module) {
  const uint64_t ticks = Now();
  module->loaded_ticks.store(ticks, std::memory_order_relaxed);
  module->told.store(changes_.Tell(module, /*unloaded=*/false, ticks), std::memory_order_relaxed);
}

void ModuleTable::TellUnloads() {
  for (size_t i = 0; i < size(); ++i) {
    Module* module = at(i);
    if (module == nullptr || module->state.load(std::memory_order_acquire) != State::kUnloaded) {
      continue;
    }
    // After a dlclose it may have stayed.
    if (!IsThere(module)) TellUnload(module);
  }
}

void ModuleTable::AfterFork() {
  changes_.Clear();
  for (size_t i = 0; i < size(); ++i) {
    Module* module = at(i);
    if (module == nullptr) continue;
    module->told.store(false, std::memory_order_relaxed);
    // The thread that was at work on it is not here: what it had not taken out is taken out now.
    if (module->state.load(std::memory_order_relaxed) == State::kChanging) {
      module->kept_count = 0;
      decisions_->Forget(module->start, module->end);
      EndChange(module, State::kUnloaded);
    }
  }
}

}  // namespace autotrace
