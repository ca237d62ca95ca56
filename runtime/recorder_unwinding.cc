// A recorder's view of control flow that skips exits: exceptions on their way, and jumps.
//
// GCC calls the exit hook while an exception passes a frame, Clang does not, and nobody does for
// longjmp. So the recorder is told when an exception is thrown, each time the unwinder enters a
// frame again (to run destructors or a handler), and when it is caught (unwind_hooks.cc), and when
// a jump is made (jump_hooks.cc). The innermost open frame carries a mark while an exception is on
// its way: a frame that ends with the mark was left by the exception, and hands the mark on to the
// frame below. Frames pushed above the mark are calls of destructors and end like any others.
#include <string.h>

#include <algorithm>

#include "runtime/recorder.h"
#include "runtime/signal_stack.h"

namespace autotrace {
namespace {

constexpr uint64_t kMark = uint64_t{decision::kUnwinding} << format::kAddressBits;
// OpenTelemetry sets no limit; this is several screens of text.
constexpr size_t kLongestMessage = 4096;
constexpr size_t kLongestType = 1024;

}  // namespace

void Recorder::ExceptionRaised(const RaisedException& raised, uint64_t frame_address) {
  if (frame_address != 0) SwitchToStackOf(frame_address);
  if (thrown_ == nullptr || NearestSpan(top_) == nullptr) return;
  ThrownException* exception = thrown_->Find(raised.object);
  // libgcc's rethrowing calls its throwing.
  if (exception != nullptr && exception->is_on_its_way()) return;
  if (exception == nullptr || !raised.again) {
    exception = thrown_->Add(raised, Now());
    if (shared_->capture_thrown_stack != nullptr && frame_address != 0) {
      exception->stack_size =
          shared_->capture_thrown_stack(frame_address, exception->stack, kMaxStackDepth);
    }
  }
  exception->caught = 0;
  thrown_->PutFirst(exception);
  Mark(exception);
}

void Recorder::ExceptionCaught(const void* object) {
  ThrownException* exception = thrown_ != nullptr ? thrown_->Find(object) : nullptr;
  if (exception == nullptr || !exception->is_on_its_way()) return;
  exception->caught = Now();
  Frame* frame = exception->marked;
  if (frame == nullptr) return;
  // Functions inlined into one another share an address, and without exit hooks it is not known
  // which of them the handler is in. The mark stays: a frame that never gets its exit was left.
  const bool is_one_of_several = frame == top_ - 1 && !frame[-1].is_sentinel() &&
                                 frame[-1].frame_address == frame->frame_address;
  if (is_one_of_several) return;
  exception->marked = nullptr;
  if (thrown_->MarkedBy(frame) == nullptr) frame->function = frame->function & ~kMark;
}

void Recorder::UnwoundTo(uint64_t stack_pointer, const RaisedException& exception,
                         bool is_handler) {
  if (thrown_ != nullptr) {
    const ThrownException* known = thrown_->Find(exception.object);
    // Its throw was not seen: another library took the unwinder's place before us.
    if (known == nullptr || !known->is_on_its_way()) ExceptionRaised(exception, 0);
  }
  if (HasLostStack()) FindStackOf(stack_pointer - 1);
  if (!IsHere(stack_pointer - 1)) UnwindOutOfStack(stack_pointer - 1, exception.object);
  PruneDeadFrames(0, stack_pointer - 1, 0);
  if (is_handler && !exception.catch_is_told) ExceptionCaught(exception.object);
}

// An exception stays on one stack. What was taken for two, because of a very large frame on a stack
// that nobody announced, is one: the calls on the inner part have been left.
void Recorder::UnwindOutOfStack(uint64_t address, const void* exception) {
  CallStack* const inner = stack_.load(std::memory_order_relaxed);
  if (inner == nullptr || inner->is_announced()) return;
  CallStack* const outer = shared_->stacks.Find(address);
  if (outer == nullptr && !own_.Contains(address)) {
    // Further out than any call that was seen.
    const StackRange grown = {here_.low, NotedPart(address, inner).high};
    inner->set_range(grown);
    return SetHere(grown);
  }
  EndCalls(0);
  if (!SwitchTo(outer, address)) return;
  ThrownException* thrown = thrown_ != nullptr ? thrown_->Find(exception) : nullptr;
  if (thrown != nullptr && thrown->is_on_its_way()) Mark(thrown);
}

void Recorder::JumpedTo(uint64_t stack_pointer) {
  SwitchToStackOf(stack_pointer - 1);
  // Out of a signal handler on a stack of its own, whose calls lie anywhere.
  const StackRange handler = SignalStackInUse();
  if (!handler.Contains(stack_pointer)) {
    while (!top_[-1].is_sentinel() && handler.Contains(top_[-1].frame_address)) {
      PopMissed(Now(), format::kSpanMissedExit);
    }
  }
  PruneDeadFrames(0, stack_pointer - 1, format::kSpanMissedExit);
}

bool Recorder::IsBeyondOpenFrames(uint64_t stack_pointer) const {
  const StackRange& stack = interrupted_ != nullptr ? own_ : here_;
  return stack_pointer >= top_[-1].frame_address && stack.Contains(stack_pointer - 1);
}

void Recorder::GiveUpChunk() { ReleaseChunk(); }

void Recorder::Mark(ThrownException* exception) {
  exception->marked = nullptr;
  if (overflow_ > 0) return;
  while (top_[-1].is_sentinel()) {
    if (segment_->previous() == nullptr) return;
    ReturnToPreviousSegment();
  }
  top_[-1].function = top_[-1].function | kMark;
  exception->marked = top_ - 1;
}

// Takes the mark from a frame that ends. Returns the exception that left it, or null; `end` becomes
// the time when that happened.
ThrownException* Recorder::TakeMark(Frame* frame, uint16_t flags, uint64_t* end) {
  if (!frame->has(decision::kUnwinding)) return nullptr;
  frame->function = frame->function & ~kMark;
  ThrownException* exception = thrown_->MarkedBy(frame);
  if (exception == nullptr) return nullptr;
  exception->marked = nullptr;
  if (exception->is_on_its_way()) return exception;
  // Caught, by this function or by one that it was inlined into: its own exit tells.
  if ((flags & format::kSpanMissedExit) == 0) return nullptr;
  // What was called since then stands below it.
  if (frame->sequence == 0) *end = std::min(*end, exception->caught);
  return exception;
}

void Recorder::WriteException(uint64_t sequence, ThrownException* exception) {
  format::ExceptionHeader header = {};
  header.id = exception->id;
  header.ticks = exception->thrown;
  std::string_view stack;
  ExceptionText text;
  if (!exception->described) {
    if (shared_->describe_exception != nullptr)
      text = shared_->describe_exception(exception->raised);
    text.type = text.type.substr(0, kLongestType);
    text.message = text.message.substr(0, kLongestMessage);
    stack = {reinterpret_cast<const char*>(exception->stack),
             exception->stack_size * sizeof(uint64_t)};
    header.type_size = static_cast<uint32_t>(text.type.size());
    header.message_size = static_cast<uint32_t>(text.message.size());
    header.stack_count = static_cast<uint32_t>(exception->stack_size);
    exception->described = true;
  }
  WriteExtension(
      format::ExtensionType::kException, sequence,
      {{reinterpret_cast<const char*>(&header), sizeof(header)}, stack, text.type, text.message});
}

}  // namespace autotrace
