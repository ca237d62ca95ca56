#include "runtime/thread_slot.h"

#include <pthread.h>

#include "runtime/session.h"
#include "runtime/thread_stack.h"
#include "runtime/uncancelled.h"

namespace autotrace {

thread_local constinit ThreadSlot t_slot = {nullptr, nullptr, 0, {}, 0, nullptr, false, {}, 0};

Recorder* RecorderForThisThread() {
  if (t_slot.active != nullptr) return t_slot.active;
  const SessionState state = g_state.load(std::memory_order_acquire);
  if (state != SessionState::kOn) {
    if (state == SessionState::kUnstarted) {
      g_calls_before_start.fetch_add(1, std::memory_order_relaxed);
    }
    return nullptr;
  }
  if (t_slot.internal > 0 || IsLeftBehind()) return nullptr;
  Session* session = Session::Current();
  if (t_slot.own != nullptr) {
    // Deeper inside hooks than there are recorders.
    session->shared().ring.Count(format::Counter::kDroppedInHook);
    return nullptr;
  }
  const Uncancelled until_made;
  // A signal handler that interrupts this records nothing.
  ++t_slot.internal;
  ThreadRecorders* recorders =
      session->pool().Acquire(t_slot.outer, OwnStackOfThread(t_slot.stack_size));
  if (recorders == nullptr) {
    session->shared().ring.Count(format::Counter::kDroppedNoMemory);
  } else {
    // The first 32 keys have their values in the thread's control block: this allocates nothing,
    // since ours was made before the program's.
    pthread_setspecific(session->thread_key(), recorders);
    t_slot.own = recorders;
    t_slot.active = recorders->outermost();
  }
  --t_slot.internal;
  return t_slot.active;
}

void LeaveInterruptedHooks(uint64_t stack_pointer) {
  if (t_slot.own == nullptr) return;
  Recorder* left = nullptr;
  for (Recorder* recorder = t_slot.active; recorder != nullptr;
       recorder = recorder->interrupted()) {
    if (recorder != t_slot.active && recorder->IsBeyondOpenFrames(stack_pointer)) left = recorder;
  }
  if (left == nullptr) return;
  for (Recorder* recorder = t_slot.active; recorder != left; recorder = recorder->interrupted()) {
    if (recorder != t_slot.active) recorder->GiveUpChunk();
    recorder->CloseAll(format::kSpanMissedExit);
  }
  left->GiveUpChunk();
  t_slot.active = left;
}

void CloseThread(uint16_t flags) {
  if (t_slot.own != nullptr) {
    t_slot.own->ForEachRecorder([&](Recorder* recorder) { recorder->CloseAll(flags); });
  }
  AbandonThread();
}

bool IsLeftBehind() {
  Session* session = Session::Current();
  if (session == nullptr || session->IsSameProcess()) return false;
  g_state.store(SessionState::kOff, std::memory_order_release);
  AbandonThread();
  return true;
}

void AbandonThread() {
  t_slot.active = nullptr;
  t_slot.own = nullptr;
}

void ThreadEnds(void* recorders) {
  t_slot.active = nullptr;
  t_slot.own = nullptr;
  Session* session = Session::Current();
  if (session != nullptr) session->pool().Retire(static_cast<ThreadRecorders*>(recorders));
}

}  // namespace autotrace
