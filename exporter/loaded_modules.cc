#include "exporter/loaded_modules.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "exporter/byte_order.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {
namespace {

constexpr auto kByTicks = [](const auto& one, const auto& other) {
  return one.ticks < other.ticks;
};

// The first in [from, to) that holds this address.
template <typename Iterator>
Iterator FirstThatHolds(Iterator from, Iterator to, uint64_t address) {
  return std::find_if(from, to, [&](const auto& load) { return load.module->Contains(address); });
}

}  // namespace

absl::Status LoadedModules::Add(std::string_view payload) {
  format::ModuleEntry entry;
  if (!Take(&payload, &entry) || payload.size() < entry.path_size ||
      payload.size() - entry.path_size < entry.build_id_size) {
    return absl::DataLossError("a module entry is too short");
  }
  const std::string path(payload.substr(0, entry.path_size));
  const std::string build_id(payload.substr(entry.path_size, entry.build_id_size));
  const LoadedModule* module =
      ModuleOf({entry.id, entry.load_bias, entry.start, entry.end, files_->Get(path, build_id)});
  if (module->start >= module->end) return absl::OkStatus();
  if ((entry.flags & format::kModuleUnloaded) != 0) {
    AddUnload(module, entry.ticks);
  } else {
    AddLoad(module, entry.ticks);
  }
  return absl::OkStatus();
}

const LoadedModule* LoadedModules::ModuleOf(const LoadedModule& told) {
  const LoadedModule*& known = by_id_[told.id];
  if (known == nullptr || known->file != told.file || known->start != told.start ||
      known->end != told.end || known->load_bias != told.load_bias) {
    known = &all_modules_.emplace_back(told);
  }
  return known;
}

// Puts all places that this range touches together into one.
std::vector<LoadedModules::Load>& LoadedModules::PlaceOf(uint64_t start, uint64_t end) {
  auto first = places_.upper_bound(start);
  if (first != places_.begin() && std::prev(first)->second.end > start) --first;
  if (first != places_.end() && first->first <= start && end <= first->second.end) {
    return first->second.loads;
  }
  Place joined = {end, {}};
  while (first != places_.end() && first->first < end) {
    start = std::min(start, first->first);
    joined.end = std::max(joined.end, first->second.end);
    joined.loads.insert(joined.loads.end(), first->second.loads.begin(), first->second.loads.end());
    first = places_.erase(first);
  }
  std::stable_sort(joined.loads.begin(), joined.loads.end(), kByTicks);
  return places_.insert_or_assign(start, std::move(joined)).first->second.loads;
}

// The last load of this module that is not later; null when there is none.
LoadedModules::Load* LoadedModules::NewestOf(std::vector<Load>& loads, uint32_t id,
                                             uint64_t ticks) {
  for (auto load = loads.rbegin(); load != loads.rend(); ++load) {
    if (load->module->id == id && load->ticks <= ticks) return &*load;
  }
  return nullptr;
}

void LoadedModules::AddLoad(const LoadedModule* module, uint64_t ticks) {
  std::vector<Load>& loads = PlaceOf(module->start, module->end);
  if (Load* known = NewestOf(loads, module->id, ticks); known != nullptr) {
    // Nothing else was there since: it came back, or this is a repetition.
    const bool alone = std::none_of(
        loads.begin() + (known - loads.data()) + 1, loads.end(), [&](const Load& other) {
          return other.ticks <= ticks && other.module->start < module->end &&
                 module->start < other.module->end;
        });
    if (known->module == module && (alone || known->ticks == ticks)) {
      if (known->gone <= ticks) {
        known->gone = kForever;
        ++version_;
      }
      return;
    }
  }
  const Load added = {ticks, kForever, module};
  loads.insert(std::upper_bound(loads.begin(), loads.end(), added, kByTicks), added);
  ++version_;
}

void LoadedModules::AddUnload(const LoadedModule* module, uint64_t ticks) {
  std::vector<Load>& loads = PlaceOf(module->start, module->end);
  Load* known = NewestOf(loads, module->id, ticks);
  if (known == nullptr) {
    // When it came is not known any more: the segment that said so is gone.
    loads.insert(loads.begin(), {0, ticks, module});
    ++version_;
  } else if (known->gone > ticks) {
    known->gone = ticks;
    ++version_;
  }
}

LoadedModules::Answer LoadedModules::Look(uint64_t address, uint64_t ticks) const {
  auto after = places_.upper_bound(address);
  if (after == places_.begin()) return {};
  const Place& place = std::prev(after)->second;
  if (address >= place.end) return {};
  const std::vector<Load>& loads = place.loads;
  const auto later =
      std::upper_bound(loads.begin(), loads.end(), Load{ticks, 0, nullptr}, kByTicks);
  const auto next = FirstThatHolds(later, loads.end(), address);
  const uint64_t end = next != loads.end() ? next->ticks : kForever;
  const auto last = FirstThatHolds(std::make_reverse_iterator(later), loads.rend(), address);
  if (last == loads.rend()) {
    // Noticed after it was there already.
    return next != loads.end() ? Answer{&*next, 0, end} : Answer{};
  }
  const bool is_first = FirstThatHolds(std::next(last), loads.rend(), address) == loads.rend();
  return {&*last, is_first ? 0 : last->ticks, end};
}

LoadedModules::Stay LoadedModules::FunctionsAt(uint64_t address, uint64_t ticks) const {
  const Answer answer = Look(address, ticks);
  return {answer.load != nullptr ? answer.load->module : nullptr, answer.begin, answer.end};
}

LoadedModules::Stay LoadedModules::CodeAt(uint64_t address, uint64_t ticks) const {
  const Answer answer = Look(address, ticks);
  if (answer.load == nullptr) return {nullptr, answer.begin, answer.end};
  const uint64_t gone = answer.load->gone;
  if (gone <= ticks) return {nullptr, gone, answer.end};
  return {answer.load->module, answer.begin, std::min(answer.end, gone)};
}

}  // namespace autotrace::exporter
