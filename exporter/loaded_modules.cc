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

bool Overlap(const LoadedModule& one, const LoadedModule& other) {
  return one.start < other.end && other.start < one.end;
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
  std::vector<Change>& changes = ChangesAt(module->start, module->end);
  const Change told = {entry.ticks, (entry.flags & format::kModuleUnloaded) != 0, module};
  // Nearly always behind all others.
  auto place = std::upper_bound(changes.begin(), changes.end(), told, kByTicks);
  for (auto known = place; known != changes.begin() && std::prev(known)->ticks == told.ticks;) {
    --known;
    if (known->module == module && known->unloaded == told.unloaded) return absl::OkStatus();
  }
  changes.insert(place, told);
  ++version_;
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
std::vector<LoadedModules::Change>& LoadedModules::ChangesAt(uint64_t start, uint64_t end) {
  auto first = places_.upper_bound(start);
  if (first != places_.begin() && std::prev(first)->second.end > start) --first;
  if (first != places_.end() && first->first <= start && end <= first->second.end) {
    return first->second.changes;
  }
  Place joined = {end, {}};
  while (first != places_.end() && first->first < end) {
    start = std::min(start, first->first);
    joined.end = std::max(joined.end, first->second.end);
    joined.changes.insert(joined.changes.end(), first->second.changes.begin(),
                          first->second.changes.end());
    first = places_.erase(first);
  }
  std::stable_sort(joined.changes.begin(), joined.changes.end(), kByTicks);
  return places_.insert_or_assign(start, std::move(joined)).first->second.changes;
}

const LoadedModules::Place* LoadedModules::PlaceAt(uint64_t address) const {
  const auto after = places_.upper_bound(address);
  if (after == places_.begin()) return nullptr;
  const Place& place = std::prev(after)->second;
  return address < place.end ? &place : nullptr;
}

// How many of them are not later than this.
size_t LoadedModules::CountUntil(const std::vector<Change>& changes, uint64_t ticks) {
  const auto later =
      std::upper_bound(changes.begin(), changes.end(), Change{ticks, false, nullptr}, kByTicks);
  return static_cast<size_t>(later - changes.begin());
}

LoadedModules::Stay LoadedModules::FunctionsAt(uint64_t address, uint64_t ticks) const {
  const Place* place = PlaceAt(address);
  if (place == nullptr) return {};
  const std::vector<Change>& changes = place->changes;
  const size_t later = CountUntil(changes, ticks);
  const uint64_t end = later < changes.size() ? changes[later].ticks : kForever;
  for (size_t i = later; i > 0; --i) {
    const Change& change = changes[i - 1];
    if (!change.unloaded && change.module->Contains(address)) {
      return {change.module, changes[later - 1].ticks, end};
    }
  }
  // Noticed after it was there already; or, when it came is not known any more, because the segment
  // that said so is gone.
  const auto first = std::find_if(changes.begin(), changes.end(), [&](const Change& change) {
    return change.module->Contains(address);
  });
  return {first != changes.end() ? first->module : nullptr,
          later > 0 ? changes[later - 1].ticks : 0, end};
}

LoadedModules::Stay LoadedModules::CodeAt(uint64_t address, uint64_t ticks) const {
  Stay stay = FunctionsAt(address, ticks);
  if (stay.module == nullptr) return stay;
  const std::vector<Change>& changes = PlaceAt(address)->changes;
  for (size_t i = CountUntil(changes, ticks); i > 0; --i) {
    const Change& change = changes[i - 1];
    const bool is_it = change.module->id == stay.module->id;
    if (is_it && !change.unloaded) break;
    // Gone since, as something else at its addresses shows, too.
    if (is_it || (!change.unloaded && Overlap(*change.module, *stay.module))) {
      stay.module = nullptr;
      break;
    }
  }
  return stay;
}

}  // namespace autotrace::exporter
