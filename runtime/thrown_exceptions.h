// The exceptions that are leaving one thread's calls, and those it caught lately, which may be
// thrown again.
//
// Kept by the recorder between the throw, the frames that the exception leaves, and its handler
// (recorder_unwinding.cc). An exception is known by the address of the thrown object, which
// `throw;` and std::rethrow_exception keep. Traced threads only: no allocation, no lock.
#ifndef AUTOTRACE_RUNTIME_THROWN_EXCEPTIONS_H_
#define AUTOTRACE_RUNTIME_THROWN_EXCEPTIONS_H_

#include <stddef.h>
#include <stdint.h>

#include "runtime/shadow_stack.h"

namespace autotrace {

inline constexpr size_t kMaxStackDepth = 128;

// What an unwinder says of an exception.
struct RaisedException {
  const void* object = nullptr;   // the thrown object
  const void* type = nullptr;     // its std::type_info; null: unknown
  const void* library = nullptr;  // for RecorderShared::describe_exception
  bool again = false;             // not a new object: rethrown
  // Will a handler's beginning be told (ExceptionCaught)? Else the unwinder's word that it is
  // entered has to do.
  bool catch_is_told = true;
};

struct ThrownException {
  RaisedException raised;
  uint64_t id;      // counts this thread's exceptions from 1; 0: an empty place
  uint64_t thrown;  // ticks
  uint64_t caught;  // ticks; 0 while it is on its way
  uint64_t order;   // the one thrown last, or again, has the highest
  Frame* marked;    // the frame that it leaves next unless it is caught there, or null
  bool described;   // a span says what it is; further spans refer to that one
  size_t stack_size;
  uint64_t* stack;  // return addresses where it was thrown, innermost first

  bool is_on_its_way() const { return id != 0 && caught == 0; }
};

class ThrownExceptions {
 public:
  // For another thread; zeroed memory needs it not, and is left as it is: most threads never throw.
  void Forget() {
    if (last_id_ == 0) return;
    for (ThrownException& place : places_) place = {};
    last_id_ = last_order_ = 0;
  }

  // Null when it is not known.
  ThrownException* Find(const void* object) {
    for (ThrownException& place : places_) {
      if (place.id != 0 && place.raised.object == object) return &place;
    }
    return nullptr;
  }

  // Takes the place of one at the same address, which must be gone, else of the one that was thrown
  // longest ago, rather one that was caught.
  ThrownException* Add(const RaisedException& raised, uint64_t now) {
    ThrownException* place = Find(raised.object);
    for (ThrownException& other : places_) {
      if (place == nullptr) place = &other;
      if (place->id != 0 && place->raised.object == raised.object) break;
      const bool better = other.is_on_its_way() != place->is_on_its_way()
                              ? place->is_on_its_way()
                              : other.order < place->order;
      if (better) place = &other;
    }
    *place = {raised, ++last_id_, now, 0, 0, nullptr, false, 0, stacks_[place - places_]};
    return place;
  }

  void PutFirst(ThrownException* exception) { exception->order = ++last_order_; }

  // The one thrown last of those that marked this frame, or null.
  ThrownException* MarkedBy(const Frame* frame) {
    ThrownException* last = nullptr;
    for (ThrownException& place : places_) {
      if (place.id == 0 || place.marked != frame) continue;
      if (last == nullptr || place.order > last->order) last = &place;
    }
    return last;
  }

 private:
  // Exceptions thrown while others unwind: more than a few at once are not seen in practice, and
  // then the oldest only lose their details.
  static constexpr size_t kPlaces = 4;

  ThrownException places_[kPlaces];
  uint64_t last_id_;
  uint64_t last_order_;
  uint64_t stacks_[kPlaces][kMaxStackDepth];
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_THROWN_EXCEPTIONS_H_
