// Of which functions are calls open, and since when? Asked before something about a function is
// changed that its open calls depend on, such as its hook at their ends.
//
// Looks at the open calls of all threads while they run: a call that is open from the beginning of
// the look to its end is found. Background thread only; allocates.
#ifndef AUTOTRACE_RUNTIME_OPEN_FUNCTIONS_H_
#define AUTOTRACE_RUNTIME_OPEN_FUNCTIONS_H_

#include <stdint.h>

#include <unordered_map>
#include <utility>

#include "runtime/recorder.h"
#include "runtime/thread_recorders.h"

namespace autotrace {

class OpenFunctions {
 public:
  // Nothing is open, or calls of these functions, since then.
  OpenFunctions() = default;
  explicit OpenFunctions(std::unordered_map<uint64_t, uint64_t> starts)
      : starts_(std::move(starts)) {}
  static OpenFunctions LookAt(RecorderPool* pool, const RecorderShared& shared);

  // False while it cannot be told of any function: a thread is just going from one stack to
  // another, or calls are open on a stack that no thread is on.
  bool is_certain() const { return is_certain_; }
  bool MayBeOpen(uint64_t function) const { return !is_certain_ || starts_.count(function) > 0; }
  // When the oldest open call of this function began, in ticks; 0: none is open.
  uint64_t OldestStart(uint64_t function) const {
    const auto found = starts_.find(function);
    return found != starts_.end() ? found->second : 0;
  }

 private:
  bool is_certain_ = true;
  std::unordered_map<uint64_t, uint64_t> starts_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_OPEN_FUNCTIONS_H_
