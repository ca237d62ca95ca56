#include "runtime/thread_recorders.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>
#include <new>

#include "runtime/memory.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {
namespace {

// The outermost recorder's first segment; hooks inside hooks stay shallow.
constexpr size_t kStackBytes[ThreadRecorders::kLevels] = {64 << 10, 16 << 10, 8 << 10};
constexpr size_t kAllStacks = (64 + 16 + 8) << 10;
constexpr size_t kHeadBytes = (sizeof(ThreadRecorders) + 4095) / 4096 * 4096;

}  // namespace

ThreadRecorders* RecorderPool::Acquire(const OuterParent& parent, StackRange stack) {
  for (ThreadRecorders* each = all_.load(std::memory_order_acquire); each != nullptr;
       each = each->next) {
    auto free = ThreadRecorders::State::kFree;
    if (each->state.load(std::memory_order_relaxed) == free &&
        each->state.compare_exchange_strong(free, ThreadRecorders::State::kPreparing,
                                            std::memory_order_acq_rel)) {
      Prepare(each, parent, stack);
      // The background thread looks into it from here on.
      each->state.store(ThreadRecorders::State::kUsed, std::memory_order_release);
      return each;
    }
  }
  void* memory = MapMemory(kHeadBytes + kAllStacks);
  if (memory == nullptr) return nullptr;
  auto* made = new (memory) ThreadRecorders;
  Prepare(made, parent, stack);
  ThreadRecorders* head = all_.load(std::memory_order_relaxed);
  do {
    made->next = head;
  } while (!all_.compare_exchange_weak(head, made, std::memory_order_acq_rel));
  return made;
}

void RecorderPool::Prepare(ThreadRecorders* recorders, const OuterParent& parent,
                           StackRange stack) {
  char* stacks = reinterpret_cast<char*>(recorders) + kHeadBytes + kAllStacks;
  const auto tid = static_cast<uint64_t>(raw::Syscall(SYS_gettid));
  Recorder* nested = nullptr;
  for (int level = ThreadRecorders::kLevels - 1; level >= 0; --level) {
    stacks -= kStackBytes[level];
    memset(stacks, 0, sizeof(StackSegment) + sizeof(Frame));
    recorders->levels[level].Initialize(
        shared_, shared_->next_thread_index.fetch_add(1, std::memory_order_relaxed),
        StackSegment::Place(stacks, kStackBytes[level]), nested, stack, level > 0, tid);
    recorders->levels[level].set_outer_parent(parent.exists() ? parent : process_parent_);
    nested = &recorders->levels[level];
  }
  recorders->thrown.Reset();
  recorders->outermost()->set_thrown_exceptions(&recorders->thrown);
  recorders->tid = tid;
  raw::Syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(recorders->name));
}

void RecorderPool::Retire(ThreadRecorders* recorders) {
  raw::Syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(recorders->final_name));
  for (Recorder& recorder : recorders->levels) recorder.CloseAll(format::kSpanMissedExit);
  recorders->state.store(ThreadRecorders::State::kRetired, std::memory_order_release);
  if (recycle_at_once_) Recycle(recorders);
}

void RecorderPool::Recycle(ThreadRecorders* recorders) {
  for (Recorder& recorder : recorders->levels) recorder.Trim();
  recorders->state.store(ThreadRecorders::State::kFree, std::memory_order_release);
}

void RecorderPool::AfterFork(ThreadRecorders* own, const IdSecret& old_secret) {
  for (ThreadRecorders* each = all_.load(std::memory_order_relaxed); each != nullptr;
       each = each->next) {
    if (each == own) continue;
    each->state.store(ThreadRecorders::State::kFree, std::memory_order_relaxed);
  }
  Recorder::AfterForkOnStacks(shared_, old_secret, own != nullptr ? own->outermost() : nullptr);
  if (own == nullptr) return;
  own->tid = static_cast<uint64_t>(raw::Syscall(SYS_gettid));
  for (Recorder& recorder : own->levels) recorder.AfterFork(old_secret, own->tid);
}

}  // namespace autotrace
