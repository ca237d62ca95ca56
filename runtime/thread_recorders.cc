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

// Of a thread's recorders, what a forked child keeps.
size_t KeptSize() {
  return offsetof(ThreadRecorders, outermost_recorder) + Recorder::WipedOffset();
}
// The same in whole pages. (Recorder's own offset is not known to the compiler here.)
constexpr size_t kKeptBytes = (sizeof(ThreadRecorders) + kPage - 1) / kPage * kPage;

}  // namespace

ThreadRecorders* RecorderPool::Acquire(const OuterParent& parent, StackRange stack) {
  RecordersPlace* place = TakePlace();
  if (place == nullptr) return nullptr;
  ThreadRecorders* recorders = place->recorders.load(std::memory_order_relaxed);
  if (recorders == nullptr) recorders = Map();
  if (recorders == nullptr) {
    place->state.store(RecordersPlace::State::kFree, std::memory_order_release);
    return nullptr;
  }
  place->recorders.store(recorders, std::memory_order_relaxed);
  recorders->place = place;
  Prepare(recorders, parent, stack);
  // The background thread looks into it from here on.
  place->state.store(RecordersPlace::State::kUsed, std::memory_order_release);
  return recorders;
}

// A free one, rather one that has memory, which is kPreparing from here on.
RecordersPlace* RecorderPool::TakePlace() {
  for (const bool with_memory : {true, false}) {
    for (RecordersPlace* place = all_.load(std::memory_order_acquire); place != nullptr;
         place = place->next) {
      auto free = RecordersPlace::State::kFree;
      if (place->state.load(std::memory_order_acquire) != free ||
          (with_memory && place->recorders.load(std::memory_order_relaxed) == nullptr) ||
          !place->state.compare_exchange_strong(free, RecordersPlace::State::kPreparing,
                                                std::memory_order_acq_rel)) {
        continue;
      }
      place->looks = 0;
      return place;
    }
  }
  return AddPlaces();
}

RecordersPlace* RecorderPool::AddPlaces() {
  auto* places = static_cast<RecordersPlace*>(MapMemory(kPlacesAtATime * sizeof(RecordersPlace)));
  if (places == nullptr) return nullptr;
  for (size_t i = 0; i < kPlacesAtATime; ++i) {
    new (&places[i]) RecordersPlace;
    if (i > 0) places[i - 1].next = &places[i];
  }
  places[0].state.store(RecordersPlace::State::kPreparing, std::memory_order_relaxed);
  RecordersPlace* head = all_.load(std::memory_order_relaxed);
  do {
    places[kPlacesAtATime - 1].next = head;
  } while (!all_.compare_exchange_weak(head, places, std::memory_order_acq_rel));
  return places;
}

ThreadRecorders* RecorderPool::Map() {
  auto* memory = static_cast<char*>(MapMemory(kKeptBytes + kPage + kFramesBytes));
  if (memory == nullptr) return nullptr;
  // Linux 4.14. Without it a child of clone(2) writes to its parent's ring.
  raw::Syscall(SYS_madvise, reinterpret_cast<long>(memory + kKeptBytes), kPage, MADV_WIPEONFORK);
  auto* made = new (memory + kKeptBytes - KeptSize()) ThreadRecorders;
  made->frames = StackSegment::Place(memory + kKeptBytes + kPage, kFramesBytes);
  return made;
}

void RecorderPool::Unmap(ThreadRecorders* recorders) {
  char* memory = reinterpret_cast<char*>(recorders) + KeptSize() - kKeptBytes;
  UnmapMemory(memory, kKeptBytes + kPage + kFramesBytes);
}

void RecorderPool::GiveMemoryBack() {
  constexpr size_t kKept = 16;
  constexpr uint32_t kLooks = 2;
  size_t kept = 0;
  for (RecordersPlace* place = all_.load(std::memory_order_acquire); place != nullptr;
       place = place->next) {
    auto free = RecordersPlace::State::kFree;
    if (!place->state.compare_exchange_strong(free, RecordersPlace::State::kPreparing,
                                              std::memory_order_acq_rel)) {
      continue;
    }
    ThreadRecorders* recorders = place->recorders.load(std::memory_order_relaxed);
    if (recorders != nullptr && ++kept > kKept && ++place->looks > kLooks) {
      // In this order: a child that is forked in between only loses memory.
      place->recorders.store(nullptr, std::memory_order_relaxed);
      Unmap(recorders);
    }
    place->state.store(RecordersPlace::State::kFree, std::memory_order_release);
  }
}

size_t RecorderPool::mapped() const {
  size_t count = 0;
  for (const RecordersPlace* place = all_.load(std::memory_order_acquire); place != nullptr;
       place = place->next) {
    if (place->recorders.load(std::memory_order_relaxed) != nullptr) ++count;
  }
  return count;
}

void RecorderPool::Prepare(ThreadRecorders* recorders, const OuterParent& parent,
                           StackRange stack) {
  const auto tid = static_cast<uint64_t>(raw::Syscall(SYS_gettid));
  const auto initialize = [&](Recorder* recorder, StackSegment* frames) {
    recorder->Initialize(shared_,
                         shared_->next_thread_index.fetch_add(1, std::memory_order_relaxed), frames,
                         stack, tid);
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
  recorders->thrown()->Forget();
  recorders->outermost()->set_thrown_exceptions(recorders->thrown());
  recorders->tid = tid;
  raw::Syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(recorders->name));
}

void RecorderPool::Retire(ThreadRecorders* recorders) {
  raw::Syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(recorders->final_name));
  recorders->ForEachRecorder(
      [](Recorder* recorder) { recorder->CloseAll(format::kSpanMissedExit); });
  recorders->place->state.store(RecordersPlace::State::kRetired, std::memory_order_release);
  if (recycle_at_once_) Recycle(recorders);
}

void RecorderPool::Recycle(ThreadRecorders* recorders) {
  recorders->ForEachRecorder([](Recorder* recorder) { recorder->Trim(); });
  recorders->place->state.store(RecordersPlace::State::kFree, std::memory_order_release);
}

void RecorderPool::AfterFork(ThreadRecorders* own, const IdSecret& old_secret) {
  for (RecordersPlace* place = all_.load(std::memory_order_relaxed); place != nullptr;
       place = place->next) {
    if (own != nullptr && place == own->place) continue;
    // (One that was being mapped is lost, if there was one.)
    place->state.store(RecordersPlace::State::kFree, std::memory_order_relaxed);
  }
  Recorder::AfterForkOnStacks(shared_, old_secret, own != nullptr ? own->outermost() : nullptr);
  if (own == nullptr) return;
  own->tid = static_cast<uint64_t>(raw::Syscall(SYS_gettid));
  own->ForEachRecorder([&](Recorder* recorder) { recorder->AfterFork(old_secret, own->tid); });
}

}  // namespace autotrace
