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

// A module's time is set back by so many ticks, at most a microsecond: less than unmapping one
// binary and mapping another takes, and more than two processors' clocks, or the moments at which
// they carry out neighbouring instructions, can be apart.
constexpr uint64_t kClockTolerance = 1000;
// Of a module's own table; it grows.
constexpr int kOwnDecisionsBits = 8;

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
// (ThreadSanitizer does not know the dynamic linker's locks, which order what it says of a binary.)
__attribute__((noinline, no_sanitize("thread"))) uint64_t HashOf(const char* text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; text != nullptr && *text != '\0'; ++text) {
    hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001b3;
  }
  return hash;
}

void RaiseTo(std::atomic<uint64_t>* number, uint64_t value) {
  uint64_t present = number->load(std::memory_order_relaxed);
  while (present < value && !number->compare_exchange_weak(present, value)) {
  }
}
void LowerTo(std::atomic<uint64_t>* number, uint64_t value) {
  uint64_t present = number->load(std::memory_order_relaxed);
  while (present > value && !number->compare_exchange_weak(present, value)) {
  }
}

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
  // As the loader has it.
  __attribute__((noinline, no_sanitize("thread"))) const char* Name() const { return map->l_name; }
  __attribute__((noinline, no_sanitize("thread"))) uint64_t Bias() const { return map->l_addr; }
  // The loader may have got the same memory for another binary's link_map. What is here must stay
  // loaded meanwhile.
  bool Holds(const Module& module) const {
    return HasRangeOf(module) && (module.lasts || (module.loader_name_hash == HashOf(Name()) &&
                                                   module.identity.HoldsWhileLoaded()));
  }
};

void ModuleTable::AddLoaded(const std::string& executable) {
  executable_ = executable;
  lasting_.Find();
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
  // They are told about before anything is recorded.
  for (size_t i = 0; i < size(); ++i) at(i)->told.store(Now(), std::memory_order_relaxed);
}

size_t ModuleTable::size() const {
  size_t count = count_.load(std::memory_order_acquire);
  while (count < kCapacity && at(count) != nullptr) ++count;
  return count;
}

// ---- Finding ------------------------------------------------------------------------------------

Module* ModuleTable::Known(const Place& place, bool running) const {
  for (size_t i = size(); i > 0; --i) {
    Module* module = at(i - 1);
    if (!place.HasRangeOf(*module)) continue;
    if (running) {
      if (place.Holds(*module)) return module;
    } else if ((place.HasLinkMapOf(*module) && IsPresent(*module)) || module->identity.Holds()) {
      return module;
    }
  }
  return nullptr;
}

Module* ModuleTable::Find(uint64_t address) {
  Place place;
  if (!place.LookUp(address)) return nullptr;
  if (Module* known = Known(place, /*running=*/false)) return known;
  Module* module = Add(place);
  // Where other binaries have been, only a thread that runs its code knows when it came.
  if (module != nullptr && OthersToldAt(*module) == 0) {
    module->there_since.store(Now(), std::memory_order_relaxed);
    module->to_tell.store(true, std::memory_order_release);
  }
  return module;
}

ModuleTable::Sight ModuleTable::See(uint64_t address) {
  Place place;
  if (!place.LookUp(address)) return {nullptr, true};
  Module* module = Known(place, /*running=*/true);
  if (module == nullptr) return {nullptr, false};
  if (module->lasts) return {module, true};
  module->link_map.store(place.map, std::memory_order_relaxed);
  // Before the look whether it is gone; see FindGone.
  module->sightings.fetch_add(1, std::memory_order_seq_cst);
  return {module, IsPresent(*module)};
}

ModuleTable::Sight ModuleTable::Introduce(uint64_t address, ModuleNews* news) {
  Sight sight = See(address);
  if (sight.told) return sight;
  if (sight.module == nullptr) {
    Place place;
    if (!place.LookUp(address)) return {nullptr, true};
    sight.module = Add(place);
    if (sight.module == nullptr) return sight;
    sight.module->sightings.fetch_add(1, std::memory_order_seq_cst);
    sight.told = IsPresent(*sight.module);  // another thread was quicker
  }
  if (!sight.told) sight.told = Tell(sight.module, news);
  return sight;
}

Module* ModuleTable::Add(const Place& place) {
  void* memory = size() < kCapacity ? MapMemory(sizeof(Module)) : nullptr;
  if (memory == nullptr) return nullptr;
  auto* module = new (memory) Module;
  const char* name = place.Name();
  module->link_map.store(place.map, std::memory_order_relaxed);
  module->load_bias = place.Bias();
  module->start = place.start;
  module->end = place.end;
  module->identity.Take(place.start);
  module->loader_name_hash = HashOf(name);
  module->main_program = name == nullptr || name[0] == '\0';
  module->lasts = module->main_program || lasting_.Contains(place.start);
  SetPath(module, module->main_program ? std::string_view(executable_) : name);
  module->image.Map(module->path);
  if (!module->lasts) {
    module->keeps_decisions = module->decisions.Initialize(kOwnDecisionsBits);
    LowerTo(&removable_start_, place.start);
    RaiseTo(&removable_end_, place.end);
  }
  // Other threads may be adding the same one, or have done so since the caller looked: there must
  // be one only.
  for (size_t index = 0; index < kCapacity; ++index) {
    Module* present = nullptr;
    module->id = static_cast<uint32_t>(index) + 1;
    if (modules_[index].compare_exchange_strong(present, module, std::memory_order_acq_rel)) {
      count_.store(index + 1, std::memory_order_release);
      return module;
    }
    if (place.Holds(*present)) {
      module->~Module();
      UnmapMemory(memory, sizeof(Module));
      return present;
    }
  }
  return nullptr;
}

// ---- Telling ------------------------------------------------------------------------------------

// When readers were last told of another module at this one's addresses; 0: never.
uint64_t ModuleTable::OthersToldAt(const Module& module) const {
  uint64_t latest = 0;
  for (size_t i = 0; i < size(); ++i) {
    const Module* other = at(i);
    if (other != &module && other->Overlaps(module.start, module.end)) {
      latest = std::max(latest, other->told.load(std::memory_order_acquire));
    }
  }
  return latest;
}

// Do readers think that it is there now?
bool ModuleTable::IsPresent(const Module& module) const {
  const uint64_t told = module.told.load(std::memory_order_acquire);
  return told != 0 && !module.gone.load(std::memory_order_seq_cst) &&
         (module.lasts || told > OthersToldAt(module));
}

// The calling thread runs its code: what else was here is gone, and its own calls are over.
bool ModuleTable::Tell(Module* module, ModuleNews* news) {
  const uint64_t others = OthersToldAt(*module);
  // Where nobody has seen it go.
  if (others != 0) decisions_->Forget(module->start, module->end);
  uint64_t ticks = std::max(Now() - kClockTolerance, others + 1);
  if (module->gone.load(std::memory_order_seq_cst)) {
    ticks = std::max(ticks, module->gone_since.load(std::memory_order_relaxed) + 1);
  }
  if (!news->Tell(*module, ticks)) return false;
  // Only now can other threads rely on it.
  RaiseTo(&module->told, ticks);
  module->gone.store(false, std::memory_order_seq_cst);
  return true;
}

// ---- Decisions ----------------------------------------------------------------------------------

void ModuleTable::Store(Module* module, uint64_t function, uint16_t bits) {
  // Code that the loader does not know: it is as likely still to be mapping it.
  if (module == nullptr) return;
  if (module->lasts) return decisions_->Store(function, bits);
  const uint64_t ended = closes_ended_.load(std::memory_order_seq_cst);
  const uint64_t begun = closes_begun_.load(std::memory_order_seq_cst);
  // This may be a destructor, after which the code will be gone.
  if (begun != ended) return;
  module->decided.store(true, std::memory_order_relaxed);
  decisions_->Store(function, bits);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // A dlclose that began in between may have looked before the decision was there.
  if (closes_begun_.load(std::memory_order_seq_cst) != begun) decisions_->ForgetOne(function);
}

// Which libraries will go cannot be known: besides those that this one was linked to, also others
// that were closed before and kept by it, or by a thread's destructors.
void ModuleTable::BeginClose() {
  closes_begun_.fetch_add(1, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const uint64_t start = removable_start_.load(std::memory_order_relaxed);
  const uint64_t end = removable_end_.load(std::memory_order_relaxed);
  if (start >= end) return;
  decisions_->ForgetIf([=, this](uint64_t function) {
    return start <= function && function < end && !lasting_.Contains(function);
  });
}

void ModuleTable::EndClose() { closes_ended_.fetch_add(1, std::memory_order_seq_cst); }

// ---- Going --------------------------------------------------------------------------------------

void ModuleTable::FindGone(std::vector<ModuleChange>* gone) {
  for (size_t i = 0; i < size(); ++i) {
    Module* module = at(i);
    if (module->lasts || module->gone.load(std::memory_order_relaxed) ||
        module->told.load(std::memory_order_relaxed) == 0) {
      continue;
    }
    const uint64_t sightings = module->sightings.load(std::memory_order_seq_cst);
    const uint64_t now = Now();
    if (IsThere(module)) continue;
    module->gone_since.store(now, std::memory_order_relaxed);
    module->gone.store(true, std::memory_order_seq_cst);
    // From here on nobody calls a function of it without taking notice of it.
    decisions_->Forget(module->start, module->end);
    // Whoever takes notice of it counts that, and then looks whether it is gone: either this sees
    // the one or that thread sees the other, and tells readers that it has come back.
    if (module->sightings.load(std::memory_order_seq_cst) != sightings) {
      module->gone.store(false, std::memory_order_seq_cst);
    } else {
      gone->push_back({module, now, /*unloaded=*/true});
    }
  }
}

void ModuleTable::ReleaseQuietPages() {
  for (size_t index = 0; index < size(); ++index) {
    const Module* module = at(index);
    if (module != nullptr) module->image.ReleaseQuietPages();
  }
}

bool ModuleTable::IsThere(Module* module) {
  Place place;
  if (!place.LookUp(module->start) || !place.HasRangeOf(*module)) return false;
  const bool same_map = place.HasLinkMapOf(*module);
  // Where nothing was decided, nothing can be wrong.
  if (same_map && !module->decided.load(std::memory_order_relaxed)) return true;
  return module->identity.Holds();
}

void ModuleTable::ForgetKeptDecisions() {
  for (size_t index = 0; index < size(); ++index) {
    Module* module = at(index);
    if (module == nullptr || !module->keeps_decisions) continue;
    module->decisions.ForgetIf([](uint64_t) { return true; });
  }
}

void ModuleTable::AfterFork(uint64_t own_closes) {
  closes_ended_.store(closes_begun_.load(std::memory_order_relaxed) - own_closes,
                      std::memory_order_relaxed);
  for (size_t i = 0; i < size(); ++i) {
    Module* module = at(i);
    module->decisions.AfterFork();
    module->image.AfterFork();
    const uint64_t told = module->told.load(std::memory_order_relaxed);
    if (told != 0) module->there_since.store(told, std::memory_order_relaxed);
    module->to_tell.store(module->there_since.load(std::memory_order_relaxed) != 0,
                          std::memory_order_relaxed);
  }
}

}  // namespace autotrace
