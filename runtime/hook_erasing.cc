#include "runtime/hook_erasing.h"

#include <new>

#include "runtime/clock.h"

namespace autotrace {
namespace {

// The ring fills while this goes on.
constexpr uint64_t kLongestLook = 1'000'000;

}  // namespace

template <typename Work>
void HookErasing::WhileThereIsMemory(Work work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    static_cast<void>(eraser_.release());  // it may have been in the middle of anything
    reason_ = "no memory";
  }
}

bool HookErasing::IsWanted(const SeenHook& hook) const {
  return decided_again_ ? decider_->HasEffect(*hook.module, hook.function)
                        : hook.has_effect && !decider_->IsQuiet(hook.function);
}

// Whether it was wanted in between is not remembered: what is open is looked at once too often.
void HookErasing::Decide(const SeenHook& hook) {
  eraser_->Decide(*hook.module, hook.function, hook.called_from, IsWanted(hook),
                  hook.has_effect || decided_again_);
}

void HookErasing::DecideAgain() {
  decided_again_ = true;
  seen_ = 0;
  if (eraser_ != nullptr) WhileThereIsMemory([this] { DecideAllAgain(); });
}

void HookErasing::DecideAllAgain() {
  for (size_t i = 0; i < looked_at_; ++i) {
    const SeenHook* hook = decider_->hooks().at(i);
    if (hook == nullptr || hook->module == nullptr) continue;
    Decide(*hook);
  }
}

// Is there anything to erase? The eraser costs a library and memory.
bool HookErasing::Begin() {
  if (eraser_ != nullptr) return true;
  if (!reason_.empty()) return false;
  const AppendLog<SeenHook>& log = decider_->hooks();
  for (; seen_ < log.count(); ++seen_) {
    const SeenHook* hook = log.at(seen_);
    if (hook == nullptr) return false;
    if (hook->module == nullptr || IsWanted(*hook)) continue;
    return LoadEraser();
  }
  return false;
}

bool HookErasing::LoadEraser() {
  auto eraser = std::make_unique<HookEraser>(hooks_);
  if (!eraser->Load(&reason_)) return false;
  eraser_ = std::move(eraser);
  return true;
}

// Where else than in its own body its hooks stand is known of the bodies that they, or others
// there, were called from.
void HookErasing::LeaveOut(const Module& module, uint64_t function) {
  if (!decider_->logs_hooks() || !reason_.empty()) return;
  WhileThereIsMemory([&] {
    if (eraser_ == nullptr && !LoadEraser()) return;
    eraser_->Decide(module, function, function, /*wanted=*/false, /*was_wanted=*/true);
  });
}

bool HookErasing::Look() {
  bool is_more = false;
  WhileThereIsMemory([&] { is_more = LookForAWhile(); });
  return is_more;
}

bool HookErasing::LookForAWhile() {
  if (!Begin()) return false;
  const uint64_t end = MonotonicNanos() + kLongestLook;
  const AppendLog<SeenHook>& log = decider_->hooks();
  for (; looked_at_ < log.count(); ++looked_at_) {
    const SeenHook* hook = log.at(looked_at_);
    if (hook == nullptr) return false;
    if (hook->module == nullptr) continue;
    if (MonotonicNanos() > end) return true;
    Decide(*hook);
  }
  return false;
}

void HookErasing::AbandonInChild() {
  static_cast<void>(eraser_.release());  // it may be in the middle of anything
  looked_at_ = 0;
}

void HookErasing::Apply() {
  if (eraser_ == nullptr) return;
  WhileThereIsMemory([this] {
    const bool asks = eraser_->asks_what_is_open();
    eraser_->Apply(asks ? OpenFunctions::LookAt(pool_, *shared_) : OpenFunctions());
  });
}

}  // namespace autotrace
