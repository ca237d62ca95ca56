// The recorders of all threads, kept and reused: a thread takes one at its first recorded call and
// gives it back at its end.
#ifndef AUTOTRACE_RUNTIME_THREAD_RECORDERS_H_
#define AUTOTRACE_RUNTIME_THREAD_RECORDERS_H_

#include <stdint.h>
#include <string.h>

#include <atomic>
#include <string_view>

#include "runtime/recorder.h"

namespace autotrace {

struct ThreadRecorders;

// Where a thread's recorders are entered. Places are never removed, only used again; the memory of
// those that nobody uses is given back.
struct RecordersPlace {
  enum class State : uint32_t { kFree, kPreparing, kUsed, kRetired };

  std::atomic<State> state{State::kFree};
  uint32_t looks = 0;                                // of GiveMemoryBack, since it is free
  std::atomic<ThreadRecorders*> recorders{nullptr};  // null: to be mapped
  RecordersPlace* next = nullptr;  // in the list of all; never changes once linked

  bool is_retired() const { return state.load(std::memory_order_acquire) == State::kRetired; }
};

// A thread's recorder with the ones for hooks inside hooks (signal handlers).
//
// Lies so that the outermost recorder's part that a forked child must not use (see
// Recorder::WipedOffset) begins a page, which the kernel wipes there. Most threads touch the page
// before it, this one, and one with frames.
struct ThreadRecorders {
  static constexpr int kInner = 4;
  static constexpr size_t kInnerFramesBytes = 384;
  static constexpr size_t kNameSize = 16;  // TASK_COMM_LEN

  // Not constructed: zeroed memory, which most threads never touch.
  alignas(ThrownExceptions) char thrown_memory[sizeof(ThrownExceptions)];
  RecordersPlace* place = nullptr;
  uint64_t tid = 0;
  char name[kNameSize] = {};        // at its first call
  char final_name[kNameSize] = {};  // at its end; programs name their threads late
  StackSegment* frames = nullptr;   // the outermost recorder's first
  alignas(8) char inner_frames[kInner][kInnerFramesBytes];
  Recorder inner[kInner];  // of the outermost one's entries and others, and of these two's hooks
  Recorder outermost_recorder;

  Recorder* outermost() { return &outermost_recorder; }
  // The outermost recorder's.
  ThrownExceptions* thrown() { return reinterpret_cast<ThrownExceptions*>(thrown_memory); }
  template <typename Visit>
  void ForEachRecorder(Visit visit) {
    visit(&outermost_recorder);
    for (Recorder& recorder : inner) visit(&recorder);
  }
  // Background thread.
  std::string_view first_name() const { return {name, strnlen(name, kNameSize)}; }
  // The last name that is known.
  std::string_view name_now() const {
    return place->is_retired() ? std::string_view(final_name, strnlen(final_name, kNameSize))
                               : first_name();
  }
};

class RecorderPool {
 public:
  explicit RecorderPool(RecorderShared* shared) : shared_(shared) {}

  // For the calling thread, whose spans have this parent (else the process's), and whose own stack
  // this is. Null without memory. Lock-free, async-signal-safe, no errno.
  ThreadRecorders* Acquire(const OuterParent& parent, StackRange stack);
  // At the thread's end: closes what is open. Lock-free.
  void Retire(ThreadRecorders* recorders);

  // Background thread: visits all that are in use or retired since the last visit.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (RecordersPlace* place = all_.load(std::memory_order_acquire); place != nullptr;
         place = place->next) {
      const auto state = place->state.load(std::memory_order_acquire);
      if (state == RecordersPlace::State::kUsed || state == RecordersPlace::State::kRetired) {
        visit(place->recorders.load(std::memory_order_relaxed));
      }
    }
  }
  // Background thread, after the last chunk of a retired one has been seen: makes it available.
  void Recycle(ThreadRecorders* recorders);
  // Background thread, now and then: unmaps what no thread has used for a while, but for a few.
  void GiveMemoryBack();
  // How many have memory.
  size_t mapped() const;

  // In a forked child: forgets all but the calling thread's.
  void AfterFork(ThreadRecorders* own, const IdSecret& old_secret);

  // The parent of spans that have none in this process.
  void set_process_parent(const OuterParent& parent) { process_parent_ = parent; }
  // Without a background thread retired recorders are recycled at once.
  void set_recycle_at_once(bool at_once) { recycle_at_once_ = at_once; }

 private:
  static constexpr size_t kPlacesAtATime = 100;

  RecordersPlace* TakePlace();
  RecordersPlace* AddPlaces();
  static ThreadRecorders* Map();
  static void Unmap(ThreadRecorders* recorders);
  void Prepare(ThreadRecorders* recorders, const OuterParent& parent, StackRange stack);

  RecorderShared* shared_;
  std::atomic<RecordersPlace*> all_{nullptr};
  bool recycle_at_once_ = false;
  OuterParent process_parent_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_THREAD_RECORDERS_H_
