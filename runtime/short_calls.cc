#include "runtime/short_calls.h"

#include "runtime/memory.h"

namespace autotrace {

bool ShortCalls::Initialize() {
  if (places_.load(std::memory_order_relaxed) != nullptr) return true;
  auto* places = static_cast<Place*>(MapMemory(kPlaces * sizeof(Place)));
  places_.store(places, std::memory_order_release);
  return places != nullptr;
}

const ShortCalls::Place* ShortCalls::Find(uint64_t function) const {
  Place* const places = places_.load(std::memory_order_acquire);
  if (places == nullptr) return nullptr;
  size_t index = IndexOf(function);
  for (size_t i = 0; i < kTries; ++i, index = (index + 1) % kPlaces) {
    const uint64_t present = places[index].function.load(std::memory_order_relaxed);
    if (present == function) return &places[index];
    if (present == 0) return nullptr;
  }
  return nullptr;
}

ShortCalls::Place* ShortCalls::FindOrTake(uint64_t function) {
  Place* const places = places_.load(std::memory_order_acquire);
  if (places == nullptr) return nullptr;
  size_t index = IndexOf(function);
  for (size_t i = 0; i < kTries; ++i, index = (index + 1) % kPlaces) {
    uint64_t present = places[index].function.load(std::memory_order_relaxed);
    if (present == 0 && places[index].function.compare_exchange_strong(present, function,
                                                                       std::memory_order_relaxed)) {
      return &places[index];
    }
    if (present == function) return &places[index];
  }
  return nullptr;
}

bool ShortCalls::Add(uint64_t function) {
  const uint32_t limit = this->limit();
  if (limit == 0) return false;
  Place* place = FindOrTake(function);
  if (place == nullptr) return false;
  const uint32_t before = place->calls.load(std::memory_order_relaxed);
  if (before >= kQuiet) return (before & kQuiet) != 0;
  // (Until a candidate is looked at it is counted on, within reason.)
  if (before >= kMostCalls) return false;
  if (place->calls.fetch_add(1, std::memory_order_relaxed) + 1 == limit) candidates_.Add(function);
  return false;
}

uint32_t ShortCalls::CallsOf(uint64_t function) const {
  const Place* place = Find(function);
  return place == nullptr ? 0 : place->calls.load(std::memory_order_relaxed) & kCount;
}

bool ShortCalls::IsQuiet(uint64_t function) const {
  const Place* place = Find(function);
  return place != nullptr && (place->calls.load(std::memory_order_relaxed) & kQuiet) != 0;
}

void ShortCalls::Set(uint64_t function, uint32_t flag) {
  if (limit() == 0) return;
  Place* place = FindOrTake(function);
  if (place == nullptr) return;
  const uint32_t calls = place->calls.load(std::memory_order_relaxed) & kCount;
  place->calls.store(calls | flag, std::memory_order_relaxed);
}

void ShortCalls::Reset() {
  Place* const places = places_.load(std::memory_order_acquire);
  if (places == nullptr) return;
  for (size_t i = 0; i < kPlaces; ++i) {
    // Only what is in use: the others' memory need not exist.
    if (places[i].function.load(std::memory_order_relaxed) != 0) {
      places[i].calls.store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace autotrace
