// What a session does about hooks of functions that are not wanted: hands what the decider tells to
// a HookEraser, when there is anything to erase at all. Only in code that lasts as long as the
// program, so that nothing is written where another library may lie by now.
//
// Background thread, but for counts(), which is for the program's end. Without memory it gives up,
// and hooks stay as they are.
#ifndef AUTOTRACE_RUNTIME_HOOK_ERASING_H_
#define AUTOTRACE_RUNTIME_HOOK_ERASING_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/decider.h"
#include "runtime/hook_eraser.h"

namespace autotrace {

class HookErasing {
 public:
  HookErasing(std::vector<HookAddress> hooks, Decider* decider, RecorderPool* pool,
              const RecorderShared* shared)
      : hooks_(std::move(hooks)), decider_(decider), pool_(pool), shared_(shared) {}

  // Looks at what was decided since the last time, as much as can be looked at in about a
  // millisecond. True: there is more.
  bool Look();
  // After the decider has got another filter: hands on again what was handed on before.
  void DecideAgain();
  // A function that was recorded is not any more.
  void LeaveOut(const Module& module, uint64_t function);
  // Erases and restores. Makes pages of code writable meanwhile: not to be called very often.
  void Apply();

  // In a forked child, when the parent's background thread may have been at work: begins anew. What
  // was erased by then stays so.
  void AbandonInChild();

  // Why nothing can be erased, if something should be; else empty.
  const std::string& reason() const { return reason_; }
  ErasedHooks counts() const { return eraser_ != nullptr ? eraser_->counts() : ErasedHooks{}; }

 private:
  bool Begin();
  bool LoadEraser();
  template <typename Work>
  void WhileThereIsMemory(Work work);
  bool LookForAWhile();
  void DecideAllAgain();
  bool IsWanted(const SeenHook& hook) const;
  void Decide(const SeenHook& hook);

  std::vector<HookAddress> hooks_;
  Decider* decider_;
  RecorderPool* pool_;
  const RecorderShared* shared_;
  std::unique_ptr<HookEraser> eraser_;
  std::string reason_;
  size_t seen_ = 0;       // entries of the decider's log that were looked for a first one to erase
  size_t looked_at_ = 0;  // that were handed on
  bool decided_again_ = false;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_HOOK_ERASING_H_
