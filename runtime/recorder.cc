#include "runtime/recorder.h"

#include <string.h>

#include <algorithm>

namespace autotrace {
namespace {

// How many sequences a thread takes from the process's counter at a time.
constexpr uint64_t kSequenceBlock = 4096;
// A frame further than this below an entry is taken for one of another stack (a fiber, a signal
// stack), about which the entry's address says nothing. The largest usual thread stack.
constexpr uint64_t kSameStackDistance = uint64_t{8} << 20;
constexpr size_t kMaxStackDepth = 128;
constexpr uint16_t kTransparent = decision::kKnown;

bool HasFlag(const Frame* frame, uint16_t flag) {
  return (DecisionOf(frame->function) & flag) != 0;
}

// A function word that no exit hook matches, for frames without a function.
constexpr uint64_t kNoFunction = 0;

}  // namespace

void Recorder::Initialize(RecorderShared* shared, uint32_t thread_index, StackSegment* stack,
                          Recorder* nested, uint64_t stack_end, uint64_t tid) {
  memset(static_cast<void*>(this), 0, sizeof(*this));
  shared_ = shared;
  thread_index_ = thread_index;
  tid_ = tid;
  nested_ = nested;
  segment_ = first_segment_ = stack;
  top_ = stack->first();
  // The first call of a thread is looked at when its entry function is not to be a span.
  first_entry_ = shared->is_thread_entry != nullptr;
  limit_ = first_entry_ ? nullptr : stack->limit();
  stack_end_ = stack_end;
}

// ---- Entries -----------------------------------------------------------------------------------

void Recorder::Enter(uint64_t function, uint64_t call_site, uint64_t frame_address) {
  uint64_t word = shared_->decisions.Lookup(function);
  if (word == 0) word = FunctionWord(function, shared_->decide(function) | decision::kKnown);
  uint16_t bits = DecisionOf(word);
  if ((bits & (decision::kRecord | decision::kHideSubtree)) == 0) return;
  PruneDeadFrames(call_site, frame_address);

  if (hidden_subtree_ != nullptr) {
    bits = kTransparent;
  } else if (bits & decision::kHideSubtree) {
    bits = decision::kKnown | decision::kHideSubtree;
  } else if ((bits & decision::kDepthLimited) && (bits & decision::kStartsTrace) == 0 &&
             depth_ >= shared_->max_depth) {
    bits = kTransparent;
  } else if (first_entry_) {
    first_entry_ = false;
    limit_ = segment_->limit();
    if ((bits & decision::kNamedExactly) == 0 &&
        shared_->is_thread_entry(frame_address, stack_end_)) {
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
      *top_ = {kNoFunction, 0, 0, 0, frame_address};
      Publish(top_ + 1);
    }
    shared_->ring.Count(format::Counter::kDroppedNoMemory);
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
    limit_ = nullptr;
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
// called one after the other from different places.
bool Recorder::IsDead(const Frame* frame, uint64_t call_site, uint64_t frame_address) {
  if (frame_address == frame->frame_address) {
    return call_site != frame->call_site && !HasFlag(frame, decision::kManual);
  }
  return frame_address > frame->frame_address &&
         frame_address - frame->frame_address <= kSameStackDistance;
}

void Recorder::PruneDeadFrames(uint64_t call_site, uint64_t frame_address) {
  if (frame_address > stack_end_) return;
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
    if (now == 0) now = Now();
    PopMissed(now, format::kSpanMissedExit);
  }
}

bool Recorder::MoreStack() {
  StackSegment* next = segment_->Next();
  if (next == nullptr) return false;
  Frame* sentinel = next->sentinel();
  *sentinel = {kNoFunction, 0, 0, 0, top_[-1].frame_address};
  segment_ = next;
  if (limit_ != nullptr) limit_ = next->limit();
  Publish(next->first());
  return true;
}

void Recorder::ReturnToPreviousSegment() {
  segment_ = segment_->previous();
  if (limit_ != nullptr) limit_ = segment_->limit();
  Publish(segment_->limit());
}

// ---- Exits -------------------------------------------------------------------------------------

void Recorder::Leave(uint64_t function) {
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
  const uint16_t bits = DecisionOf(frame->function);
  // Time stamp counters of different processors may be a few ticks apart.
  end = std::max(end, frame->start);
  if (bits & decision::kDepthLimited) --depth_;
  if (frame == hidden_subtree_) {
    hidden_subtree_ = nullptr;
    limit_ = segment_->limit();
  }
  if (bits & decision::kMeasured) {
    const uint64_t threshold = shared_->thresholds[bits & decision::kThresholdMask];
    if (end - frame->start >= threshold) {
      // From this call on it is recorded, however short.
      const uint64_t function = frame->function & format::kAddressMask;
      const uint16_t known = DecisionOf(shared_->decisions.Lookup(function));
      shared_->decisions.Store(function, (known & ~decision::kMeasured) | decision::kNoThreshold);
    }
  }
  if (!frame->is_span()) return Publish(frame);

  const uint64_t threshold = shared_->thresholds[bits & decision::kThresholdMask];
  const bool keep = frame->sequence != 0 || (bits & decision::kManual) ||
                    end - frame->start >= threshold || (flags & format::kSpanError);
  if (keep) return KeepSlow(frame, end, flags);
  Publish(frame);
  if (frame == cut_root_) KeepSlow(nullptr, 0, 0);
}

// Is this a root without recorded children, for which no trace needs to be announced?
bool Recorder::IsAlone(const Frame* frame, uint64_t end) const {
  return frame == first_segment_->first() && frame->sequence == 0 && remote_.span_id == 0 &&
         shared_->capture_stack == nullptr &&
         (DecisionOf(frame->function) & ~decision::kThresholdMask & ~decision::kNamedExactly &
          ~decision::kDepthLimited) == (decision::kKnown | decision::kRecord) &&
         end - frame->start <= kLongest && write_ < write_fast_end_;
}

// Writes the span of `frame`, which is on top, and pops it. A null frame: only does what the end of
// a cut-out trace needs.
void Recorder::KeepSlow(Frame* frame, uint64_t end, uint16_t flags) {
  if (frame != nullptr) {
    if (root_ == nullptr && IsAlone(frame, end)) {
      WriteSpan(frame, NewSequence(), 0, end - frame->start, flags | format::kSpanAlone);
      return Publish(frame);
    }
    if (root_ == nullptr) BeginTrace();
    if (frame->sequence == 0) frame->sequence = NewSequence();
    const uint64_t sequence = frame->sequence;
    const uint64_t parent = frame == root_ ? 0 : ParentSequence(frame);
    uint64_t duration = end - frame->start;
    if (duration > kLongest) {
      WriteExtension(format::ExtensionType::kLongStart, sequence,
                     {reinterpret_cast<const char*>(&frame->start), sizeof(frame->start)});
      // The record's start and duration still add up to its end.
      duration = format::kMaxDuration;
      frame->start = end - duration;
    }
    if (HasFlag(frame, decision::kManual)) flags |= format::kSpanManual;
    if (write_ < write_fast_end_ || (NextChunk() && write_ < write_fast_end_)) {
      WriteSpan(frame, sequence, parent, duration, flags);
    } else {
      shared_->ring.Count(format::Counter::kDroppedRingFull);
    }
    if (frame == root_) root_ = nullptr;
    const bool ends_cut = frame == cut_root_;
    Publish(frame);
    if (!ends_cut) return;
  }
  // Back in the trace that the cut interrupted.
  cut_root_ = nullptr;
  root_ = nullptr;
  depth_ = 0;
  for (Frame* below = Below(top_); below != nullptr; below = Below(below)) {
    if (HasFlag(below, decision::kDepthLimited)) ++depth_;
    if (HasFlag(below, decision::kStartsTrace)) {
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
  StackSegment* segment = first_segment_;
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
  for (StackSegment* segment = first_segment_; segment != nullptr; segment = segment->next()) {
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

// A parent that gets its identity here is thereby kept.
uint64_t Recorder::ParentSequence(Frame* frame) {
  Frame* parent = NearestSpan(frame);
  if (parent == nullptr) return 0;
  if (parent->sequence == 0) parent->sequence = NewSequence();
  // A sentinel stands for the frame below it: the next sibling takes the fast path.
  if (frame[-1].is_sentinel() && frame - 1 != first_segment_->sentinel()) {
    frame[-1].sequence = parent->sequence;
  }
  return parent->sequence;
}

void Recorder::BeginTrace() {
  root_ = RootFrame();
  if (root_ == nullptr) return;
  if (root_->sequence == 0) root_->sequence = NewSequence();
  WriteTraceBegin(0);
  if (shared_->capture_stack != nullptr) WriteStack(root_->sequence, root_->frame_address);
}

void Recorder::WriteTraceBegin(uint16_t extra_flags) {
  constexpr size_t kWords = sizeof(format::TraceBegin) / sizeof(uint64_t);
  if (write_ + kWords > write_end_ || chunk_ == nullptr) {
    NextChunk(extra_flags);  // writes the trace at its head
    return;
  }
  uint64_t* record = write_;
  write_ += kWords;
  *write_ = 0;
  auto* begin = reinterpret_cast<format::TraceBegin*>(record);
  uint16_t flags = extra_flags;
  begin->start = root_->start;
  begin->root_sequence = root_->sequence;
  begin->call_site = root_->call_site;
  begin->parent_sequence = 0;
  if (remote_.span_id != 0 && root_ != cut_root_) {
    flags |= format::kTraceRemoteParent;
    memcpy(begin->trace_id, remote_.trace_id, sizeof(begin->trace_id));
    begin->parent_span_id = remote_.span_id;
  } else {
    TraceIdOf(shared_->secret, root_->sequence, begin->trace_id);
    begin->parent_span_id = 0;
  }
  if (root_ == cut_root_) flags |= format::kTraceCut;
  __atomic_store_n(&begin->head,
                   format::HeadWord(format::RecordKind::kTraceBegin, flags, root_->function),
                   __ATOMIC_RELEASE);
}

void Recorder::WriteStack(uint64_t sequence, uint64_t frame_address) {
  uint64_t addresses[kMaxStackDepth];
  const size_t count = shared_->capture_stack(frame_address, addresses, kMaxStackDepth);
  WriteExtension(format::ExtensionType::kStack, sequence,
                 {reinterpret_cast<const char*>(addresses), count * sizeof(uint64_t)});
}

// ---- Manual spans ------------------------------------------------------------------------------

uint64_t Recorder::BeginManual(std::string_view name, uint64_t frame_address) {
  // Only what lies strictly below: the function that this is inlined into has the same address.
  PruneDeadFrames(0, frame_address - 1);
  if (hidden_subtree_ != nullptr) return 0;
  if (overflow_ > 0 || (top_ >= segment_->limit() && !MoreStack())) {
    shared_->ring.Count(format::Counter::kDroppedNoMemory);
    return 0;
  }
  // No address: no exit hook ends it. It dies with the call that it was begun in: its own address
  // proves nothing, since it may have been begun in a helper that has returned.
  constexpr uint16_t kBits = decision::kKnown | decision::kRecord | decision::kManual;
  PushFrame(FunctionWord(0, kBits), 0, top_[-1].frame_address);
  Frame* frame = top_ - 1;
  if (root_ == nullptr) BeginTrace();
  if (frame->sequence == 0) frame->sequence = NewSequence();
  const uint64_t sequence = frame->sequence;
  WriteExtension(format::ExtensionType::kName, sequence,
                 name.substr(0, shared_->ring.chunk_data_bytes() / 2));
  return sequence;
}

bool Recorder::IsOpen(uint64_t sequence) const {
  for (Frame* frame = Below(top_); frame != nullptr; frame = Below(frame)) {
    if (frame->sequence == sequence && HasFlag(frame, decision::kManual)) return true;
  }
  return false;
}

void Recorder::EndManual(uint64_t sequence) {
  if (!IsOpen(sequence)) return;
  const uint64_t end = Now();
  for (;;) {
    Frame* frame = top_ - 1;
    if (frame->is_sentinel()) {
      if (overflow_ > 0) {
        overflow_ = 0;
        Publish(frame);
      } else {
        ReturnToPreviousSegment();
      }
      continue;
    }
    if (frame->sequence == sequence && HasFlag(frame, decision::kManual)) {
      return LeaveSpecial(frame, end, 0);
    }
    PopMissed(end, format::kSpanMissedExit);
  }
}

void Recorder::WriteAttribute(uint64_t sequence, std::string_view key, format::AttributeType type,
                              const void* value, size_t value_size) {
  const size_t room = std::min(format::kMaxExtensionPayload, shared_->ring.chunk_data_bytes() / 2) -
                      sizeof(format::AttributeHeader);
  key = key.substr(0, room / 2);
  const char* rest = static_cast<const char*>(value);
  for (;;) {
    const size_t part = std::min(value_size, room - key.size());
    format::AttributeHeader header = {};
    header.type = static_cast<uint8_t>(type);
    header.continued = part < value_size ? 1 : 0;
    header.key_size = static_cast<uint16_t>(key.size());
    header.value_size = static_cast<uint32_t>(part);
    WriteExtension(format::ExtensionType::kAttribute, sequence,
                   {reinterpret_cast<const char*>(&header), sizeof(header)}, key, {rest, part});
    rest += part;
    value_size -= part;
    if (value_size == 0) return;
  }
}

void Recorder::WriteExtension(format::ExtensionType type, uint64_t sequence, std::string_view first,
                              std::string_view second, std::string_view third) {
  const size_t payload = first.size() + second.size() + third.size();
  const size_t padded = (payload + 7) / 8 * 8;
  uint64_t* record = Reserve((sizeof(format::Extension) + padded) / sizeof(uint64_t));
  if (record == nullptr) return;
  record[1] = sequence;
  char* out = reinterpret_cast<char*>(record + 2);
  memset(out + padded - std::min<size_t>(padded, 8), 0, std::min<size_t>(padded, 8));
  for (const std::string_view part : {first, second, third}) {
    if (!part.empty()) memcpy(out, part.data(), part.size());
    out += part.size();
  }
  __atomic_store_n(
      record,
      format::HeadWord(format::RecordKind::kExtension, static_cast<uint16_t>(type), payload),
      __ATOMIC_RELEASE);
}

// ---- Chunks ------------------------------------------------------------------------------------

uint64_t* Recorder::Reserve(size_t words) {
  if (chunk_ == nullptr || write_ + words > write_end_) {
    // Not counted: counters count spans, and this span will be counted if it is lost as well.
    if (!NextChunk() || write_ + words > write_end_) return nullptr;
  }
  uint64_t* record = write_;
  write_ += words;
  *write_ = 0;
  return record;
}

void Recorder::ReleaseChunk() {
  if (chunk_ == nullptr) return;
  Ring::Release(chunk_);
  chunk_ = nullptr;
  write_ = write_end_ = write_fast_end_ = nullptr;
}

bool Recorder::NextChunk(uint16_t trace_flags) {
  ReleaseChunk();
  chunk_ = shared_->ring.Claim(thread_index_, tid_, chunk_sequence_ + 1, Now());
  shared_->ring.WakeReader();
  if (chunk_ == nullptr) return false;
  ++chunk_sequence_;
  write_ = chunk_->data;
  const size_t words = shared_->ring.chunk_data_bytes() / sizeof(uint64_t);
  write_end_ = chunk_->data + words - 1;
  write_fast_end_ = write_end_ - kSpanWords;
  // Each chunk says which trace its spans belong to, so that it can be read alone.
  if (root_ != nullptr) WriteTraceBegin(trace_flags);
  return true;
}

// ---- Life cycle --------------------------------------------------------------------------------

void Recorder::CloseAll(uint16_t flags) {
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
  ReleaseChunk();
}

void Recorder::Trim() { segment_->Trim(); }

void Recorder::PinCurrent() {
  Frame* current = NearestSpan(top_);
  if (current == nullptr) return;
  if (root_ == nullptr) BeginTrace();
  if (current->sequence == 0) current->sequence = NewSequence();
}

void Recorder::AfterFork(const IdSecret& old_secret, uint64_t tid) {
  tid_ = tid;
  chunk_ = nullptr;
  write_ = write_end_ = write_fast_end_ = nullptr;
  chunk_sequence_ = 0;
  next_sequence_ = sequence_end_ = 0;
  Frame* current = NearestSpan(top_);
  if (current != nullptr && current->sequence != 0) {
    const Frame* root = RootFrame();
    if (remote_.span_id == 0 || root == cut_root_) {
      TraceIdOf(old_secret, root->sequence, remote_.trace_id);
    }
    remote_.span_id = SpanIdOf(old_secret, current->sequence);
  }
  for (Frame* frame = Below(top_); frame != nullptr; frame = Below(frame)) {
    // Known, and nothing else: it waits for its exit and leaves no span here.
    if (frame->is_span()) frame->function = FunctionWord(frame->function, decision::kKnown);
    frame->sequence = 0;
  }
  cut_root_ = root_ = nullptr;
  depth_ = 0;
}

// Visits the open spans' frames, outermost first, until `visit` returns false. The thread may
// change all that is read here, also while it is read: a data race that is meant, since frames are
// written by plain stores. What comes of it is thrown away (see CopyOpenFrames).
template <typename Visit>
__attribute__((no_sanitize("thread"))) void Recorder::VisitOpenSpans(Visit visit) const {
  for (StackSegment* segment = first_segment_; segment != nullptr; segment = segment->next()) {
    const Frame* top = __atomic_load_n(&top_, __ATOMIC_ACQUIRE);
    if (top == nullptr) return;  // not ready yet
    const bool last = top >= segment->first() && top <= segment->limit() + 1;
    const Frame* end = last ? top : segment->limit();
    for (const Frame* frame = segment->first(); frame < end; ++frame) {
      Frame copy;
      memcpy(&copy, frame, sizeof(copy));
      if (copy.is_span() && !visit(copy)) return;
    }
    if (last) return;
  }
}

size_t Recorder::CopyOpenFrames(std::string* frames, size_t limit, uint64_t trace_id[2]) const {
  // Looks twice. What is the same both times was open in between, all of it at once: no start is
  // given twice, and the top moves only after a frame is complete.
  const size_t before = frames->size();
  size_t count = 0;
  const auto open_frame = [](const Frame& frame) {
    const uint16_t flags = HasFlag(&frame, decision::kManual) ? format::kSpanManual : 0;
    return format::OpenFrame{
        format::HeadWord(format::RecordKind::kSpanWithCaller, flags, frame.function), frame.start,
        frame.sequence, frame.call_site};
  };
  VisitOpenSpans([&](const Frame& frame) {
    if (count == limit) return false;
    const format::OpenFrame open = open_frame(frame);
    frames->append(reinterpret_cast<const char*>(&open), sizeof(open));
    ++count;
    return true;
  });
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  size_t unchanged = 0;
  uint64_t root_sequence = 0;
  VisitOpenSpans([&](const Frame& frame) {
    if (unchanged == count) return false;
    const format::OpenFrame now = open_frame(frame);
    char* place = frames->data() + before + unchanged * sizeof(now);
    format::OpenFrame first;
    memcpy(&first, place, sizeof(first));
    if (first.head != now.head || first.start != now.start || first.call_site != now.call_site) {
      return false;
    }
    memcpy(place, &now, sizeof(now));  // it may have got a sequence
    if (unchanged++ == 0) root_sequence = now.sequence;
    return true;
  });
  frames->resize(before + unchanged * sizeof(format::OpenFrame));
  trace_id[0] = trace_id[1] = 0;
  if (root_sequence != 0) {
    TraceIdOf(shared_->secret, root_sequence, trace_id);
    if (remote_.span_id != 0) memcpy(trace_id, remote_.trace_id, sizeof(remote_.trace_id));
  }
  return unchanged;
}

}  // namespace autotrace
