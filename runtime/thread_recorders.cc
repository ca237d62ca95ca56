#include "runtime/thread_recorders.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>

#include "runtime/memory.h"
#include "symbolizer/raw_syscalls.h"

namespace autotrace {
namespace {

// The outermost recorder's first segment.
constexpr size_t kFramesBytes = size_t{64} << 10;
constexpr size_t kPage = 4096;

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
  ThreadRecorders* made = Map();
  if (made == nullptr) return nullptr;
  Prepare(made, parent, stack);
  ThreadRecorders* head = all_.load(std::memory_order_relaxed);
  do {
    made->next = head;
  } while (!all_.compare_exchange_weak(head, made, std::memory_order_acq_rel));
  return made;
}

ThreadRecorders* RecorderPool::Map() {
  const size_t kept =
      offsetof(ThreadRecorders, outermost_recorder) + Recorder::WipedOffset();
  const size_t kept_pages = (kept + kPage - 1) / kPage * kPage;
  auto* memory = static_cast<char*>(MapMemory(kept_pages + kPage + kFramesBytes));
  if (memory == nullptr) return nullptr;
  // Linux 4.14. Without it a child of clone(2) writes to its parent's ring.
  raw::Syscall(SYS_madvise, reinterpret_cast<long>(memory + kept_pages), kPage, MADV_WIPEONFORK);
  auto* made = new (memory + kept_pages - kept) ThreadRecorders;
  made->frames = StackSegment::Place(memory + kept_pages + kPage, kFramesBytes);
  return made;
}

void RecorderPool::Prepare(ThreadRecorders* recorders, const OuterParent& parent,
                           StackRange stack) {
  const auto tid = static_cast<uint64_t>(raw::Syscall(SYS_gettid));
  const auto initialize = [&](Recorder* recorder, StackSegment* frames) {
    recorder->Initialize(shared_, shared_->next_thread_index.fetch_add(1, std::memory_order_relaxed),
                         frames, stack, tid);
    recorder->set_outer_parent(parent.exists() ? parent : process_parent_);
  };
  initialize(recorders->outermost(), recorders->frames);
  for (int i = 0; i < ThreadRecorders::kInner; ++i) {
    char* frames = recorders->inner_frames[i];
    memset(frames, 0, ThreadRecorders::kInnerFramesBytes);
    initialize(&recorders->inner[i],
               StackSegment::Place(frames, ThreadRecorders::kInnerFramesBytes));
  }
  Recorder* inner = recorders->inner;
  recorders->outermost()->set_inner(&inner[0], &inner[1]);
  inner[0].set_inner(&inner[2], &inner[2]);
  inner[1].set_inner(&inner[3], &inner[3]);
  recorders->thrown.Reset();
  recorders->outermost()->set_thrown_exceptions(&recorders->thrown);
  recorders->tid = tid;
  raw::Syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(recorders->name));
}

void RecorderPool::Retire(ThreadRecorders* recorders) {
  raw::Syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(recorders->final_name));
  recorders->ForEachRecorder(
      [](Recorder* recorder) { recorder->CloseAll(format::kSpanMissedExit); });
  recorders->state.store(ThreadRecorders::State::kRetired, std::memory_order_release);
  if (recycle_at_once_) Recycle(recorders);
}

void RecorderPool::Recycle(ThreadRecorders* recorders) {
  recorders->ForEachRecorder([](Recorder* recorder) { recorder->Trim(); });
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
  own->ForEachRecorder([&](Recorder* recorder) { recorder->AfterFork(old_secret, own->tid); });
}

}  // namespace autotrace
