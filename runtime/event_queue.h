// A bounded queue from any number of traced threads to one reader. Both ends are lock-free and
// never wait; pushing is async-signal-safe. Memory of zeros is an empty queue.
#ifndef AUTOTRACE_RUNTIME_EVENT_QUEUE_H_
#define AUTOTRACE_RUNTIME_EVENT_QUEUE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

namespace autotrace {

template <typename T, size_t kCapacity>
class EventQueue {
 public:
  // False when it is full. Any thread.
  bool Push(const T& value) {
    uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Slot& slot = slots_[position % kCapacity];
      const auto ahead =
          static_cast<int64_t>(slot.turn.load(std::memory_order_acquire) - EmptyTurn(position));
      if (ahead < 0) return false;
      if (ahead > 0) {
        position = tail_.load(std::memory_order_relaxed);
      } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        slot.value = value;
        slot.turn.store(EmptyTurn(position) + 1, std::memory_order_release);
        return true;
      }
    }
  }

  // The oldest value; false when there is none, or while its writer has not finished. One thread at
  // a time.
  bool Pop(T* value) {
    Slot& slot = slots_[head_ % kCapacity];
    if (slot.turn.load(std::memory_order_acquire) != EmptyTurn(head_) + 1) return false;
    *value = slot.value;
    slot.turn.store(EmptyTurn(head_) + 2, std::memory_order_release);
    ++head_;
    return true;
  }

  // Empties it, also when a writer will never finish. Only while no other thread uses it.
  void Clear() {
    for (Slot& slot : slots_) slot.turn.store(0, std::memory_order_relaxed);
    tail_.store(0, std::memory_order_relaxed);
    head_ = 0;
  }

 private:
  struct Slot {
    std::atomic<uint64_t> turn;  // even: empty, odd: filled; two more with each time around
    T value;
  };
  static constexpr uint64_t EmptyTurn(uint64_t position) { return position / kCapacity * 2; }

  std::atomic<uint64_t> tail_{0};
  uint64_t head_ = 0;
  Slot slots_[kCapacity] = {};
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_EVENT_QUEUE_H_
