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

// A thread's recorder with the ones for hooks inside hooks (signal handlers).
//
// Lies so that the outermost recorder's part that a forked child must not use (see
// Recorder::WipedOffset) begins a page, which the kernel wipes there. Most threads touch the page
// before it, this one, and one with frames.
struct ThreadRecorders {
  static constexpr int kInner = 4;
  static constexpr size_t kInnerFramesBytes = 512;
  static constexpr size_t kNameSize = 16;  // TASK_COMM_LEN

  enum class State : uint32_t { kUsed, kRetired, kFree, kPreparing };

  ThrownExceptions thrown;  // the outermost recorder's
  std::atomic<State> state{State::kUsed};
  ThreadRecorders* next = nullptr;  // in the list of all; never changes once linked
  uint64_t tid = 0;
  char name[kNameSize] = {};        // at its first call
  char final_name[kNameSize] = {};  // at its end; programs name their threads late
  StackSegment* frames = nullptr;   // the outermost recorder's first
  alignas(8) char inner_frames[kInner][kInnerFramesBytes];
  Recorder inner[kInner];  // of the outermost one's entries and others, and of these two's hooks
  Recorder outermost_recorder;

  Recorder* outermost() { return &outermost_recorder; }
  template <typename Visit>
  void ForEachRecorder(Visit visit) {
    visit(&outermost_recorder);
    for (Recorder& recorder : inner) visit(&recorder);
  }
  // Background thread.
  std::string_view first_name() const { return {name, strnlen(name, kNameSize)}; }
  // The last name that is known.
  std::string_view name_now() const {
    const bool retired = state.load(std::memory_order_acquire) == State::kRetired;
    return retired ? std::string_view(final_name, strnlen(final_name, kNameSize)) : first_name();
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
    for (ThreadRecorders* each = all_.load(std::memory_order_acquire); each != nullptr;
         each = each->next) {
      const auto state = each->state.load(std::memory_order_acquire);
      if (state == ThreadRecorders::State::kUsed || state == ThreadRecorders::State::kRetired) {
        visit(each);
      }
    }
  }
  // Background thread, after the last chunk of a retired one has been seen: makes it available.
  void Recycle(ThreadRecorders* recorders);

  // In a forked child: forgets all but the calling thread's.
  void AfterFork(ThreadRecorders* own, const IdSecret& old_secret);

  // The parent of spans that have none in this process.
  void set_process_parent(const OuterParent& parent) { process_parent_ = parent; }
  // Without a background thread retired recorders are recycled at once.
  void set_recycle_at_once(bool at_once) { recycle_at_once_ = at_once; }

 private:
  static ThreadRecorders* Map();
  void Prepare(ThreadRecorders* recorders, const OuterParent& parent, StackRange stack);

  RecorderShared* shared_;
  std::atomic<ThreadRecorders*> all_{nullptr};
  bool recycle_at_once_ = false;
  OuterParent process_parent_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_THREAD_RECORDERS_H_
