#include "runtime/open_functions.h"

#include <algorithm>

namespace autotrace {

OpenFunctions OpenFunctions::LookAt(RecorderPool* pool, const RecorderShared& shared) {
  OpenFunctions open;
  const auto visit = [&](uint64_t function, uint64_t start) {
    const auto [place, added] = open.starts_.try_emplace(function, start);
    if (!added) place->second = std::min(place->second, start);
  };
  // Before and after the threads: one may leave a stack, and another one go on there, meanwhile.
  const auto look_at_stacks = [&] {
    shared.stacks.ForEach([&](CallStack* stack) {
      if (stack->PlaceIn(stack->state.load(std::memory_order_acquire)) != nullptr) {
        open.is_certain_ = false;
      }
    });
  };
  look_at_stacks();
  pool->ForEach([&](ThreadRecorders* thread) {
    thread->ForEachRecorder([&](const Recorder* recorder) {
      if (!recorder->VisitOpenFunctions(visit)) open.is_certain_ = false;
    });
  });
  look_at_stacks();
  return open;
}

}  // namespace autotrace
