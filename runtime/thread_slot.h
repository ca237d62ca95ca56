// What a thread has of ours: the recorder that its next hook uses, or the mark that it has none.
#ifndef AUTOTRACE_RUNTIME_THREAD_SLOT_H_
#define AUTOTRACE_RUNTIME_THREAD_SLOT_H_

#include <errno.h>
#include <stdint.h>

#include "runtime/thread_recorders.h"

namespace autotrace {

struct ThreadSlot {
  // While a hook works this is the next level's recorder, so that hooks of a signal handler that
  // interrupts it find one that nobody is in the middle of. Null: see OwnRecorders.
  Recorder* active;
  ThreadRecorders* own;
  uint32_t internal;  // > 0: our own code runs here; hooks do nothing
  // The span that started this thread, for the recorders that it will have, and how large its stack
  // was to be; 0: as large as usual.
  OuterParent outer;
  uint64_t stack_size;
  Recorder* at_fork;   // `active`, while this thread forks
  bool fork_is_quiet;  // meanwhile no thread of ours is at work
  // In a child that is not traced: the span that forked it, for programs that it starts.
  OuterParent forked_by;
  uint64_t closes;  // how many calls of dlclose(3) the thread is inside of
};

// Initial-exec: no call, and no allocation at first use.
extern thread_local constinit ThreadSlot t_slot __attribute__((tls_model("initial-exec")));

// Marks the calling thread as running our own code.
class InternalThreadScope {
 public:
  InternalThreadScope() : active_(t_slot.active) {
    t_slot.active = nullptr;
    ++t_slot.internal;
  }
  ~InternalThreadScope() {
    --t_slot.internal;
    // Null when the thread's recorders were taken away in the meantime.
    t_slot.active = t_slot.own != nullptr ? active_ : nullptr;
  }
  InternalThreadScope(const InternalThreadScope&) = delete;
  InternalThreadScope& operator=(const InternalThreadScope&) = delete;

 private:
  Recorder* active_;
};

// This thread's recorders; null when it has recorded nothing yet.
inline ThreadRecorders* OwnRecorders() { return t_slot.own; }

// The recorder to use now, made if this thread has none. Null when tracing is off, when there is no
// memory, or inside our own code. Async-signal-safe.
Recorder* RecorderForThisThread();

// Is this a child that was made by clone(2) or _Fork() without a word to us? What is there is the
// parent's, and tracing is off from here on. (The hooks ask on their slow path only: see
// Recorder::WipedOffset.)
bool IsLeftBehind();

// Runs work(recorder) the way hooks do: hooks of a signal handler that interrupts it find another
// recorder, and errno stays. The recorder is where the thread is, whatever it has noticed before.
template <typename Work>
void WithRecorder(Recorder* recorder, Work work) {
  if (IsLeftBehind()) return;
  const int error_number = errno;
  t_slot.active = recorder->inner_of_others();
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  recorder->SwitchToCaller(reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
  work(recorder);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  t_slot.active = recorder;
  errno = error_number;
}

// The thread goes on where the stack pointer is this. A signal handler that interrupted a hook may
// leave it so: then the hook will never end, the recorder that it was using becomes the thread's
// again, and what it was writing is given up.
void LeaveInterruptedHooks(uint64_t stack_pointer);

// Ends what is open on this thread and lets no hook record on it any more.
void CloseThread(uint16_t flags);
// The same without touching what was recorded.
void AbandonThread();

// Destructor of Session::thread_key: the thread ends.
void ThreadEnds(void* recorders);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_THREAD_SLOT_H_
