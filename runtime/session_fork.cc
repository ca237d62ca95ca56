// A session in a process that forks, or replaces its program.
#include <sys/stat.h>
#include <unistd.h>

#include <exception>

#include "runtime/clock.h"
#include "runtime/futex.h"
#include "runtime/log.h"
#include "runtime/process_facts.h"
#include "runtime/session.h"
#include "runtime/thread_slot.h"

namespace autotrace {
namespace {

// What a thread waits for the recording before it replaces the program.
constexpr uint64_t kExecTimeout = 1'000'000'000;
// What it waits, before it forks, for each of our threads to be where nothing is half done.
constexpr uint64_t kForkTimeout = 200'000'000;

// 0: cannot be told.
uint64_t ThreadsOfProcess() {
  struct stat facts = {};
  const long result =
      raw::Syscall(SYS_newfstatat, AT_FDCWD, reinterpret_cast<long>("/proc/self/task"),
                   reinterpret_cast<long>(&facts), 0);
  // One link for each thread's folder, and the two that every folder has.
  return result == 0 && facts.st_nlink > 2 ? facts.st_nlink - 2 : 0;
}

}  // namespace

void Session::BeforeExec() {
  // In a child of vfork() or clone() there is no thread of ours, and the recording goes on.
  if (raw::Syscall(SYS_getpid) != pid_) return;
  const InternalThreadScope internal;
  // So that it copies open frames, whenever it did so last.
  copy_open_frames_.store(true, std::memory_order_release);
  leave_nothing_.store(true, std::memory_order_release);
  Flush(kExecTimeout);
}

// From here to the handlers after the fork, a signal handler finds no recorder: this thread's is at
// work, and in the child the parent's.
bool Session::BeforeFork() {
  t_slot.at_fork = t_slot.active;
  t_slot.active = nullptr;
  ++t_slot.internal;
  if (t_slot.at_fork != nullptr) {
    t_slot.at_fork->SwitchToCaller(reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
    t_slot.forked_by = t_slot.at_fork->PinCurrent();
  }
  const bool is_quiet = gate_.Close(kForkTimeout);
  t_slot.fork_is_quiet = cleaner_gate_.Close(kForkTimeout) && is_quiet;
  return t_slot.fork_is_quiet;
}

void Session::AfterForkInParent() {
  cleaner_gate_.Open();
  gate_.Open();
  EndFork();
}

void Session::EndFork() {
  --t_slot.internal;
  t_slot.active = t_slot.own != nullptr ? t_slot.at_fork : nullptr;
  t_slot.forked_by = {};
}

// A child records on its own: own ring, own secret, own files in the same run, own thread. Its
// first spans continue below the span that forked.
void Session::AfterForkInChild() {
  gate_.Reset();
  cleaner_gate_.Reset();
  BecomeTheChild();
  EndFork();
}

void Session::BecomeTheChild() {
  const IdSecret old_secret = shared_.secret;
  parent_process_key_ = process_key_;
  pid_ = getpid();
  fork_mark_.Set();
  kernel_start_time_ = KernelStartTime();
  // First: nothing may refer to the parent's ring once it is gone.
  pool_.AfterFork(OwnRecorders(), old_secret);
  shared_.ring.Abandon();
  thread_.Forget();
  stop_.store(0, std::memory_order_relaxed);
  if (segments_ != nullptr) segments_->CloseInChild();
  if (sent_ != nullptr) sent_->CloseInChild();
  try {
    // Kept, never looked at: if the fork did not wait for the parent's background thread, that one
    // may have been in the middle of anything.
    parents_.emplace_back();
    parents_.back() = {std::move(drainer_), std::move(sent_), std::move(segments_),
                       std::move(spool_), std::move(live_)};
    shared_.decisions.AfterFork();
    shared_.module_records.Clear();
    modules_.AfterFork(t_slot.closes);
    decider_.AfterFork();
    shared_.short_calls.AfterFork();
    if (!t_slot.fork_is_quiet) erasing_.AbandonInChild();
    quiet_.AbandonInChild();
    if (!CreateRing()) {
      g_state.store(SessionState::kOff, std::memory_order_release);
      AbandonThread();
      return;
    }
    OpenSinks();
    control_.Forget();
    OpenControl();
    if (segments_ == nullptr && !SendsLive()) {
      g_state.store(SessionState::kOff, std::memory_order_release);
      AbandonThread();
      return;
    }
    StartThread();
  } catch (const std::exception& error) {
    g_state.store(SessionState::kOff, std::memory_order_release);
    AbandonThread();
    LogParts({"cannot trace the forked child: ", error.what()});
  }
}

// ---- Forking without fork(), see fork_hooks.cc -------------------------------------------------

// The child has no more than a copy of the calling thread, and nobody has put locks in order for
// it: what follows there allocates memory and starts a thread. So the program must have no other
// thread that could hold one, and ours hold none.
bool Session::BeforeClone() {
  const bool is_quiet = BeforeFork();
  return is_quiet && IsOnlyThread();
}

// But for ours. The thread that removes old runs at the program's start and has just ended is given
// a moment, once.
bool Session::IsOnlyThread() {
  const uint64_t deadline =
      cleaner_.started() && !waited_for_cleaner_ ? MonotonicNanos() + kForkTimeout : 0;
  for (;;) {
    const uint64_t ours = (thread_.started() ? 1 : 0) + (cleaner_.is_running() ? 1 : 0);
    if (ThreadsOfProcess() == 1 + ours) return true;
    if (MonotonicNanos() >= deadline) break;
    std::atomic<uint32_t> nobody_wakes{0};
    FutexWait(&nobody_wakes, 0, kForkTimeout / 100);
  }
  waited_for_cleaner_ = true;
  return false;
}

void Session::AfterCloneInParent() { AfterForkInParent(); }

void Session::AfterCloneInChild(bool is_traced) {
  if (is_traced) return AfterForkInChild();
  gate_.Reset();
  cleaner_gate_.Reset();
  const OuterParent forked_by = t_slot.forked_by;
  EndFork();
  IsLeftBehind();
  t_slot.forked_by = forked_by;
}

}  // namespace autotrace
