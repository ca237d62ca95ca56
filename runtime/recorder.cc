#include "runtime/recorder.h"

#include <string.h>

#include <algorithm>

#include "runtime/signal_stack.h"

namespace autotrace {
namespace {

// How many sequences a thread takes from the process's counter at a time.
constexpr uint64_t kSequenceBlock = 4096;
constexpr uint16_t kTransparent = decision::kKnown;

}  // namespace

void Recorder::Initialize(RecorderShared* shared, uint32_t thread_index, StackSegment* frames,
                          StackRange stack, uint64_t tid) {
  memset(static_cast<void*>(this), 0, sizeof(*this));
  shared_ = shared;
  thread_index_ = thread_index;
  tid_ = tid;
  segment_ = frames;
  first_segment_.store(frames, std::memory_order_relaxed);
  top_ = frames->first();
  own_ = stack;
  SetHere(stack);
  // The first call of a thread is looked at when its entry function is not to be a span.
  first_entry_ = shared->is_thread_entry != nullptr;
  if (!first_entry_) AllowFastEntries();
}

// ---- Entries -----------------------------------------------------------------------------------

void Recorder::Enter(uint64_t function, uint64_t call_site, uint64_t frame_address) {
  if (shared_->stopped.load(std::memory_order_relaxed)) return;
  uint64_t word = shared_->decisions.Lookup(function);
  if (word == 0) {
    auto lost = format::Counter::kDroppedNoMemory;
    const uint16_t decided = shared_->decide(function, frame_address, this, &lost);
    if (decided == 0) return shared_->ring.Count(lost);
    word = FunctionWord(function, decided | decision::kKnown);
  }
  uint16_t bits = DecisionOf(word);
  if ((bits & (decision::kRecord | decision::kHideSubtree)) == 0) return;
  if (!EnterStackOf(frame_address, call_site)) {
    if (bits & decision::kRecord) shared_->ring.Count(format::Counter::kDroppedInHook);
    return;
  }
  if (FastPathsAreClosed()) OpenFastPaths();
  PruneDeadFrames(call_site, frame_address, format::kSpanMissedExit);
  if (interrupted_ != nullptr && top_ == first_segment()->first()) {
    outer_.Store(interrupted_->ParentOfHandler(this));
  }

  if (hidden_subtree_ != nullptr) {
    bits = kTransparent;
  } else if (bits & decision::kHideSubtree) {
    bits = decision::kKnown | decision::kHideSubtree;
  } else if ((bits & decision::kDepthLimited) && (bits & decision::kStartsTrace) == 0 &&
             depth_ >= shared_->max_depth) {
    bits = kTransparent;
  } else if (first_entry_) {
    first_entry_ = false;
    AllowFastEntries();
    if ((bits & decision::kNamedExactly) == 0 && own_.Contains(frame_address) &&
        shared_->is_thread_entry(frame_address, own_.high)) {
      bits = kTransparent;
    }
  }
  if (bits & decision::kStartsTrace) {
    // Recursion stays inside the trace that its first call began.
    const Frame* root = cut_root_ != nullptr ? cut_root_ : RootFrame();
    if (root == nullptr || (root->is_span() && SameFunction(root->function, function))) {
      bits &= ~decision::kStartsTrace;
    }
  }
  PushFrame(FunctionWord(function, bits), call_site, frame_address);
}

void Recorder::PushFrame(uint64_t word, uint64_t call_site, uint64_t frame_address) {
  if (top_ >= segment_->limit() && (overflow_ > 0 || !MoreStack())) {
    // The frame kept back for this gets a mark that no exit matches; Leave counts down.
    if (overflow_++ == 0) {
      top_->SetSentinel(frame_address);
      Publish(top_ + 1);
    }
    if (DecisionOf(word) & decision::kRecord) {
      shared_->ring.Count(format::Counter::kDroppedNoMemory);
    }
    return;
  }
  Frame* frame = top_;
  frame->function = word;
  frame->sequence = 0;
  frame->call_site = call_site;
  frame->frame_address = frame_address;
  const uint16_t bits = DecisionOf(word);
  if (bits & decision::kHideSubtree) {
    hidden_subtree_ = frame;
    __atomic_store_n(&limit_, nullptr, __ATOMIC_RELAXED);
  }
  if (bits & decision::kStartsTrace) {
    cut_root_ = frame;
    root_ = nullptr;
    depth_ = 0;  // counted from each trace's root
  }
  if (bits & decision::kDepthLimited) ++depth_;
  frame->start = Now();
  Publish(frame + 1);
}

// A frame is dead when an entry lies above it on the same stack: its exit was skipped. At the same
// address lie functions inlined into one another, which return to the same place, and functions
// called one after the other from different places. Of a handler on a stack of its own, what
// follows on the stack that it interrupted says that it is over.
bool Recorder::IsDead(const Frame* frame, uint64_t call_site, uint64_t frame_address) const {
  if (frame_address == frame->frame_address) {
    return call_site != frame->call_site && !frame->has(decision::kManual);
  }
  if (here_.Contains(frame_address) != here_.Contains(frame->frame_address)) {
    return here_.Contains(frame_address);
  }
  return frame_address > frame->frame_address;
}

void Recorder::PruneDeadFrames(uint64_t call_site, uint64_t frame_address, uint16_t flags) {
  if (!IsHere(frame_address)) return;
  uint64_t now = 0;
  for (;;) {
    Frame* frame = top_ - 1;
    if (frame->is_sentinel()) {
      if (segment_->previous() == nullptr || overflow_ > 0) return;
      if (frame_address < frame->frame_address) return;
      ReturnToPreviousSegment();
      continue;
    }
    if (!IsDead(frame, call_site, frame_address)) return;
    if (now == 0) {
      // A signal handler's stack says nothing about the one that it interrupted.
      const StackRange handler = SignalStackInUse();
      if (handler.Contains(frame_address) && !handler.Contains(frame->frame_address)) return;
      now = Now();
    }
    PopMissed(now, flags);
  }
}

void Recorder::AllowFastEntries() {
  __atomic_store_n(&limit_, ClockIsFast() ? segment_->limit() : nullptr, __ATOMIC_RELAXED);
  CloseFastPathsAgain();
}

// After a path was opened. Who closes it does so after having said why: one of the two sees what
// the other did.
void Recorder::CloseFastPathsAgain() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (shared_->stopped.load(std::memory_order_relaxed) || HasLostStack()) CloseFastPaths();
}

bool Recorder::MoreStack() {
  StackSegment* next = segment_->Next();
  if (next == nullptr) return false;
  next->sentinel()->SetSentinel(top_[-1].frame_address);
  segment_ = next;
  if (MayEnterFast()) AllowFastEntries();
  Publish(next->first());
  return true;
}

void Recorder::ReturnToPreviousSegment() {
  segment_ = segment_->previous();
  if (MayEnterFast()) AllowFastEntries();
  Publish(segment_->limit());
}

// ---- Exits -------------------------------------------------------------------------------------

void Recorder::Leave(uint64_t function, uint64_t frame_address) {
  if (shared_->stopped.load(std::memory_order_relaxed)) return;
  SwitchToStackOf(frame_address);
  // On a stack that is not announced, exits may lie where no entry did: with a tail-called exit or
  // alloca.
  if (!IsHere(frame_address) && IsAnotherTask()) return;
  if (SameFunction(top_[-1].function, function)) return LeaveSpecial(top_ - 1, Now(), 0);
  if (DecisionKind(shared_->decisions.Lookup(function)) == decision::kPlainHidden) return;
  if (overflow_ > 0) {
    if (--overflow_ == 0) Publish(top_ - 1);
    return;
  }
  LeaveBelowTop(function, Now());
}

void Recorder::LeaveBelowTop(uint64_t function, uint64_t end) {
  // The nearest open frame of this function; those above it missed their exits. Matching by
  // function and not by address: with tail-called exits and alloca the addresses differ.
  Frame* match = top_ - 1;
  StackSegment* segment = segment_;
  for (;;) {
    if (match->is_sentinel()) {
      segment = segment->previous();
      if (segment == nullptr) return;  // entered before tracing began, or hidden then
      match = segment->limit() - 1;
      continue;
    }
    if (SameFunction(match->function, function)) break;
    --match;
  }
  for (;;) {
    if (top_ - 1 == match) break;
    if (top_[-1].is_sentinel()) {
      ReturnToPreviousSegment();
    } else {
      PopMissed(end, format::kSpanMissedExit);
    }
  }
  LeaveSpecial(match, end, 0);
}

void Recorder::PopMissed(uint64_t end, uint16_t flags) { LeaveSpecial(top_ - 1, end, flags); }

void Recorder::LeaveSpecial(Frame* frame, uint64_t end, uint16_t flags) {
  ThrownException* exception = TakeMark(frame, flags, &end);
  if (exception == nullptr) return EndFrame(frame, end, flags, nullptr);
  EndFrame(frame, end, (flags & ~format::kSpanMissedExit) | format::kSpanError, exception);
  Mark(exception);
}

void Recorder::EndFrame(Frame* frame, uint64_t end, uint16_t flags, ThrownException* exception) {
  NoteEnding(frame);
  const uint16_t bits = DecisionOf(frame->function);
  // Time stamp counters of different processors may be a few ticks apart.
  end = std::max<uint64_t>(end, frame->start);
  if (bits & decision::kDepthLimited) --depth_;
  if (frame == hidden_subtree_) {
    hidden_subtree_ = nullptr;
    AllowFastEntries();
  }
  if (bits & decision::kMeasured) {
    const uint64_t threshold = shared_->Threshold(bits);
    if (end - frame->start >= threshold) {
      LearnThatItIsSlow(frame->function & format::kAddressMask,
                        (flags & (format::kSpanMissedExit | format::kSpanUnfinished)) == 0);
    }
  }
  if (!frame->is_span()) return Publish(frame);

  const uint64_t threshold = shared_->Threshold(bits);
  const bool keep = frame->sequence != 0 || (bits & decision::kManual) ||
                    end - frame->start >= threshold ||
                    ((flags & format::kSpanError) && shared_->keep_errors);
  if (keep) {
    if (bits & decision::kMeasured) {
      shared_->short_calls.Exempt(frame->function & format::kAddressMask);
    }
    KeepSlow(frame, end, flags, exception);
  } else {
    if (bits & decision::kMeasured) CountShortCall(frame);
    Publish(frame);
  }
  if (frame == cut_root_) ReturnToOuterTrace();
}

// From this call on it is recorded, however short. Where its exit never came its library may be
// gone, and another one's decision at its address.
void Recorder::LearnThatItIsSlow(uint64_t function, bool is_running) {
  const uint64_t known = shared_->decisions.Lookup(function);
  if ((DecisionOf(known) & decision::kMeasured) != 0) {
    shared_->decisions.Replace(known, AsSlow(DecisionOf(known), shared_->slow_once_is_slow));
  }
  if (is_running && shared_->learn != nullptr) shared_->learn(function);
}

// Functions that the user spelled out are never left out.
void Recorder::CountShortCall(const Frame* frame) {
  if (frame->has(decision::kNamedExactly) || frame->has(decision::kStartsTrace)) return;
  const uint64_t function = frame->function & format::kAddressMask;
  if (!shared_->short_calls.Add(function)) return;
  // Another thread decided about it when it was not quiet yet, and stored that afterwards.
  const uint64_t known = shared_->decisions.Lookup(function);
  if (known != 0) shared_->decisions.Replace(known, decision::kKnown);
}

// Is this a root without recorded children, for which no trace needs to be announced?
bool Recorder::IsAlone(const Frame* frame, uint64_t end) const {
  return frame == first_segment()->first() && frame->sequence == 0 && !outer_.exists() &&
         shared_->capture_stack == nullptr &&
         (DecisionOf(frame->function) & ~decision::kThresholdMask & ~decision::kNamedExactly &
          ~decision::kDepthLimited) == (decision::kKnown | decision::kRecord) &&
         end - frame->start <= kLongest && write_ < write_fast_end_;
}

// Writes the span of `frame`, which is on top, and pops it.
void Recorder::KeepSlow(Frame* frame, uint64_t end, uint16_t flags, ThrownException* exception) {
  if (root_ == nullptr && exception == nullptr && IsAlone(frame, end)) {
    WriteSpan(frame, NewSequence(), 0, end - frame->start, flags | format::kSpanAlone);
    return Publish(frame);
  }
  if (root_ == nullptr) BeginTrace();
  SetSequence(frame);
  const uint64_t sequence = frame->sequence;
  const uint64_t parent = frame == root_ ? 0 : ParentSequence(frame);
  uint64_t duration = end - frame->start;
  if (duration > kLongest) {
    WriteExtension(format::ExtensionType::kLongStart, sequence,
                   {{reinterpret_cast<const char*>(&frame->start), sizeof(frame->start)}});
    // The record's start and duration still add up to its end.
    duration = format::kMaxDuration;
    frame->start = end - duration;
  }
  if (exception != nullptr) WriteException(sequence, exception);
  if (frame->has(decision::kManual)) flags |= format::kSpanManual;
  if (write_ < write_fast_end_ || (NextChunk() && write_ < write_fast_end_)) {
    WriteSpan(frame, sequence, parent, duration, flags);
  } else {
    shared_->ring.Count(format::Counter::kDroppedRingFull);
  }
  if (frame == root_) root_ = nullptr;
  Publish(frame);
}

// The root that a `roots` pattern made has ended: back in the trace that it interrupted.
void Recorder::ReturnToOuterTrace() {
  cut_root_ = nullptr;
  root_ = nullptr;
  depth_ = 0;
  for (Frame* below = Below(top_); below != nullptr; below = Below(below)) {
    if (below->has(decision::kDepthLimited)) ++depth_;
    if (below->has(decision::kStartsTrace)) {
      cut_root_ = below;
      break;
    }
  }
  Frame* outer = RootFrame();
  if (outer != nullptr && outer->sequence != 0) {
    root_ = outer;
    WriteTraceBegin(format::kTraceResumed);
  }
}

// ---- Ancestors and traces ----------------------------------------------------------------------

// The frame below this position, across segments; null below the outermost.
Frame* Recorder::Below(Frame* frame) const {
  Frame* below = frame - 1;
  if (below->function != kNoFunction) return below;
  if (overflow_ > 0 && frame == top_) return Below(below);
  StackSegment* segment = first_segment();
  // Which segment does this sentinel belong to?
  while (segment != nullptr && segment->sentinel() != below) segment = segment->next();
  if (segment == nullptr || segment->previous() == nullptr) return nullptr;
  return segment->previous()->limit() - 1;
}

Frame* Recorder::NearestSpan(Frame* frame) const {
  for (Frame* below = Below(frame); below != nullptr; below = Below(below)) {
    if (below->is_span()) return below;
  }
  return nullptr;
}

// The root of the trace that a span pushed now would belong to: the innermost cut, else the
// outermost span frame. Null when no span is open.
Frame* Recorder::RootFrame() const {
  if (cut_root_ != nullptr) return cut_root_;
  for (StackSegment* segment = first_segment(); segment != nullptr; segment = segment->next()) {
    Frame* end = segment == segment_ ? top_ : segment->limit();
    for (Frame* frame = segment->first(); frame < end; ++frame) {
      if (frame->is_span()) return frame;
    }
    if (segment == segment_) break;
  }
  return nullptr;
}

uint64_t Recorder::NewSequence() {
  if (next_sequence_ == sequence_end_) {
    next_sequence_ = shared_->next_sequence.fetch_add(kSequenceBlock, std::memory_order_relaxed);
    sequence_end_ = next_sequence_ + kSequenceBlock;
  }
  return next_sequence_++;
}

// Gives an open span its identity. If the program is killed, the span is known from the last copy
// of open frames only, where it may still be without: then this record tells.
void Recorder::Identify(Frame* frame) {
  SetSequence(frame);
  if (frame->start > shared_->open_frames_copied.load(std::memory_order_relaxed)) return;
  const format::IdentityPayload identity = {frame->function & format::kAddressMask, frame->start};
  WriteExtension(format::ExtensionType::kIdentity, frame->sequence,
                 {{reinterpret_cast<const char*>(&identity), sizeof(identity)}});
}

// A parent that gets its identity here is thereby kept.
uint64_t Recorder::ParentSequence(Frame* frame) {
  Frame* parent = NearestSpan(frame);
  if (parent == nullptr) return 0;
  if (parent->sequence == 0) Identify(parent);
  // A sentinel stands for the frame below it: the next sibling takes the fast path.
  if (frame[-1].is_sentinel() && frame - 1 != first_segment()->sentinel()) {
    frame[-1].sequence = parent->sequence;
  }
  return parent->sequence;
}

// ---- Life cycle --------------------------------------------------------------------------------

void Recorder::CloseAll(uint16_t flags) {
  SwitchTo(nullptr, 0);  // other threads may go on with what is open on the stack that it is on
  EndCalls(flags);
  ReleaseChunk();
}

void Recorder::EndCalls(uint16_t flags) {
  const uint64_t end = Now();
  for (;;) {
    Frame* frame = top_ - 1;
    if (!frame->is_sentinel()) {
      PopMissed(end, flags);
    } else if (overflow_ > 0) {
      overflow_ = 0;
      Publish(frame);
    } else if (segment_->previous() != nullptr) {
      ReturnToPreviousSegment();
    } else {
      break;
    }
  }
}

void Recorder::Trim() { segment_->Trim(); }

OuterParent Recorder::PinCurrent() {
  Frame* current = NearestSpan(top_);
  if (current == nullptr) return outer_;
  if (root_ == nullptr) BeginTrace();
  if (current->sequence == 0) Identify(current);
  OuterParent identity;
  CurrentTraceId(shared_->secret, identity.trace_id);
  identity.sequence = current->sequence;
  return identity;
}

// Of the trace that a span pushed now would belong to; its root has a sequence.
void Recorder::CurrentTraceId(const IdSecret& secret, uint64_t trace_id[2]) const {
  const Frame* root = RootFrame();
  if (outer_.exists() && root != cut_root_) {
    memcpy(trace_id, outer_.trace_id, sizeof(outer_.trace_id));
  } else {
    TraceIdOf(secret, root->sequence, trace_id);
  }
}
}  // namespace autotrace
