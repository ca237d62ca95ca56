// One thread's recorder: turns entries and exits into span records.
//
// An entry pushes a frame on the shadow stack; the exit pops it and, when the call is kept, writes
// one record into the thread's chunk of the ring. EnterFast and LeaveFast, in this header, are
// inlined into the hooks: a table look-up, a clock read, a few stores. Whatever is not the plain
// case is in recorder.cc.
//
// Everything here runs on traced threads, possibly inside the program's malloc, under the loader's
// lock or in a signal handler: no allocation but raw mappings, no lock, no exception, no errno
// change. A recorder is never entered twice: while a hook runs, hooks of a signal handler find
// another one in its place (`inner`; see hooks.cc and recorder_inner.cc).
#ifndef AUTOTRACE_RUNTIME_RECORDER_H_
#define AUTOTRACE_RUNTIME_RECORDER_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "runtime/call_stacks.h"
#include "runtime/clock.h"
#include "runtime/decision_table.h"
#include "runtime/ids.h"
#include "runtime/module_records.h"
#include "runtime/outer_parent.h"
#include "runtime/ring.h"
#include "runtime/shadow_stack.h"
#include "runtime/short_calls.h"
#include "runtime/stack_range.h"
#include "runtime/thrown_exceptions.h"
#include "runtime/trace_format.h"

namespace autotrace {

// Both last until the exception is destroyed.
struct ExceptionText {
  std::string_view type;     // mangled name
  std::string_view message;  // of a std::exception, else empty
};

class Recorder;

// What all recorders of a process share.
struct RecorderShared {
  DecisionTable decisions;
  Ring ring;
  IdSecret secret;
  CallStacks stacks;
  ModuleRecords module_records;
  std::atomic<uint32_t> next_thread_index{1};
  std::atomic<uint64_t> next_sequence{1};
  // When open frames were last copied into the ring, in ticks; while they are being copied, the
  // highest number. What was open then and gets its identity later says so in a record.
  std::atomic<uint64_t> open_frames_copied{0};
  // Minimum durations in ticks, by the bits of decision::kThresholdMask.
  uint64_t Threshold(uint16_t decision_bits) const {
    const uint64_t* threshold = &thresholds[decision_bits & decision::kThresholdMask];
#ifdef __SANITIZE_THREAD__
    return __atomic_load_n(threshold, __ATOMIC_RELAXED);
#else
    return *threshold;  // the same, but the compiler makes it a part of the comparison
#endif
  }
  void SetThreshold(size_t index, uint64_t ticks) {
    __atomic_store_n(&thresholds[index], ticks, __ATOMIC_RELAXED);
  }
  uint64_t thresholds[128] = {};
  uint32_t max_depth = 0;  // 0: none
  // Spans that the program begins by hand are left out, too.
  std::atomic<bool> paused{false};
  // The recording ends: what threads go on to call leaves nothing.
  std::atomic<bool> stopped{false};
  bool callers = true;
  bool keep_errors = true;
  // Once a function that is measured (decision::kMeasured) was slow, all its calls are recorded,
  // and not only slow ones.
  bool slow_once_is_slow = true;
  ShortCalls short_calls;

  // Decides about a function that `decisions` does not hold, and stores the result there. Returns
  // its bits; 0, and the cause in `*lost`, when calls of it cannot be recorded now.
  uint16_t (*decide)(uint64_t function, uint64_t frame_address, Recorder* recorder,
                     format::Counter* lost) = nullptr;
  // A function that is measured (decision::kMeasured) was slow, and is running. Null: nobody needs
  // to know besides `decisions`.
  void (*learn)(uint64_t function) = nullptr;
  // Was the function with this frame called by the machinery that starts threads, on the stack that
  // ends at `stack_end`? Null: entry functions are like others.
  bool (*is_thread_entry)(uint64_t frame_address, uint64_t stack_end) = nullptr;
  // Does this address of code lie in this function? Null: not known.
  bool (*is_inside)(uint64_t function, uint64_t address) = nullptr;
  // Return addresses from the present stack, those of frames at or above `frame_address` only,
  // innermost first; returns how many. Null: stacks were not asked for.
  size_t (*capture_stack)(uint64_t frame_address, uint64_t* addresses, size_t capacity) = nullptr;
  // The same where an exception is thrown.
  size_t (*capture_thrown_stack)(uint64_t frame_address, uint64_t* addresses,
                                 size_t capacity) = nullptr;
  // Type and message of an exception. Calls the program's what().
  ExceptionText (*describe_exception)(const RaisedException& exception) = nullptr;
};

class Recorder {
 public:
  // `frames` is this recorder's own memory, `stack` the thread's.
  void Initialize(RecorderShared* shared, uint32_t thread_index, StackSegment* frames,
                  StackRange stack, uint64_t tid);
  // The recorders for hooks that interrupt this one's entries, and whatever else it does; null:
  // such hooks record nothing. After Initialize of all of them.
  void set_inner(Recorder* of_entries, Recorder* of_others);

  // The plain case of an entry: the function is known, nothing special holds for it, and there is
  // room. False, with nothing changed, in every other case: then Enter is to be called. Makes no
  // call, so that the hooks need no stack frame.
  __attribute__((always_inline)) bool EnterFast(uint64_t function, uint64_t call_site,
                                                uint64_t frame_address) {
    const uint64_t word = shared_->decisions.LookupFirst(function);
    if (__builtin_expect(!SameFunction(word, function), 0)) return false;
    if (DecisionKind(word) == decision::kPlainHidden) return true;
    Frame* frame = top_;
    if (__builtin_expect(
            DecisionKind(word) != decision::kPlainRecord ||
                // Further out than what is open, or not on the stack that the thread was on.
                frame_address > frame[-1].frame_address || frame_address < fast_low_ ||
                (frame_address == frame[-1].frame_address && call_site != frame[-1].call_site) ||
                frame >= __atomic_load_n(&limit_, __ATOMIC_RELAXED),
            0)) {
      return false;
    }
    frame->function = word;
    frame->sequence = 0;
    frame->call_site = call_site;
    frame->frame_address = frame_address;
    frame->start = FastNow();
    Publish(frame + 1);
    return true;
  }

  void Enter(uint64_t function, uint64_t call_site, uint64_t frame_address);

  // The same for an exit. `frame_address`: the hook's, as at the entry.
  __attribute__((always_inline)) bool LeaveFast(uint64_t function, uint64_t frame_address) {
    Frame* frame = top_ - 1;
    if (!SameFunction(frame->function, function)) {
      const uint64_t word = shared_->decisions.LookupFirst(function);
      return SameFunction(word, function) && DecisionKind(word) == decision::kPlainHidden;
    }
    // The function may be open on several stacks.
    if (__builtin_expect(
            frame_address - fast_low_ >= __atomic_load_n(&fast_size_, __ATOMIC_RELAXED) ||
                DecisionKind(frame->function) != decision::kPlainRecord,
            0)) {
      return false;
    }
    NoteEnding(frame);
    const uint64_t duration = FastNow() - frame->start;
    uint64_t sequence = frame->sequence;
    if (duration < shared_->Threshold(DecisionOf(frame->function)) && sequence == 0) {
      Publish(frame);
      return true;
    }
    if (__builtin_expect(
            write_ >= write_fast_end_ || duration > kLongest || sequence_end_ - next_sequence_ < 2,
            0)) {
      return false;
    }
    uint64_t parent = frame[-1].sequence;
    if (parent == 0) {
      if (!NeedsOnlySequence(frame - 1)) return false;
      if (sequence == 0) sequence = next_sequence_++;
      // A signal handler that interrupts this may have given it one meanwhile.
      const uint64_t fresh = next_sequence_++;
      if (frame[-1].sequence.CompareExchange(&parent, fresh)) parent = fresh;
    } else if (sequence == 0) {
      sequence = next_sequence_++;
    }
    WriteSpan(frame, sequence, parent, duration, 0);
    Publish(frame);
    return true;
  }

  void Leave(uint64_t function, uint64_t frame_address);

  // ---- Manual spans. Not async-signal-safe: names are the caller's memory.
  // Returns the span's sequence.
  uint64_t BeginManual(std::string_view name, uint64_t frame_address);
  void EndManual(uint64_t sequence);
  // False when no such span is open on the present stack.
  bool IsOpen(uint64_t sequence) const;
  void WriteAttribute(uint64_t sequence, std::string_view key, format::AttributeType type,
                      const void* value, size_t value_size);

  // Writes what readers are to know of a module, the payload of a kModule record, before any span
  // that depends on it. False when there is no room.
  bool WriteModule(std::string_view payload);

  // ---- Control flow that skips exits (recorder_unwinding.cc)
  // An exception is thrown. `frame_address`: where to begin its stack; 0: no stack.
  void ExceptionRaised(const RaisedException& raised, uint64_t frame_address);
  // The unwinder enters a frame again, which has this stack pointer, to clean up or to handle the
  // exception: it has left all below.
  void UnwoundTo(uint64_t stack_pointer, const RaisedException& exception, bool is_handler);
  // A handler has begun.
  void ExceptionCaught(const void* object);
  // The same by longjmp or an unwinding that is no exception (pthread_exit): no errors.
  void JumpedTo(uint64_t stack_pointer);
  // Has code with this stack pointer been called by none of the open calls?
  bool IsBeyondOpenFrames(uint64_t stack_pointer) const;
  // After a hook was left in its middle: what it was writing must not be continued.
  void GiveUpChunk();

  // Null: exceptions are not told from returns. For the recorder's life.
  void set_thrown_exceptions(ThrownExceptions* thrown) { thrown_ = thrown; }

  // ---- Several machine stacks (recorder_stacks.cc)
  // The thread runs, or is about to run, where this address is: on its own stack, on one of
  // RecorderShared::stacks, or on one that nobody knows of yet, with which nothing changes.
  void SwitchToStackOf(uint64_t address) {
    if (!here_.Contains(address) || shared_->stacks.any_inside_others() || HasLostStack()) {
      FindStackOf(address);
    }
  }
  // The same for the place of code that nothing was entered on that unknown stack for: what it does
  // is done for the thread's own stack.
  void SwitchToCaller(uint64_t address) {
    SwitchToStackOf(address);
    if (!IsHere(address)) SwitchTo(nullptr, 0);
  }
  void StackCreated(uint64_t low, uint64_t high);
  // Ends what is open on it. Not the one that the thread is on.
  void StackDestroyed(uint64_t low);

  // ---- Life cycle
  // After RecorderShared::stopped was set, or the calls of the stack that the thread is on were
  // taken by another recorder: hooks take the slow path, where they look at that. Any thread.
  void CloseFastPaths() {
    __atomic_store_n(&limit_, nullptr, __ATOMIC_RELAXED);
    __atomic_store_n(&fast_size_, 0, __ATOMIC_RELAXED);
  }
  // Ends every open frame now, with these flags, and gives the chunk back. For a thread's end and
  // the process's end.
  void CloseAll(uint16_t flags);
  // Gives memory back that only deep recursion needed.
  void Trim();
  // Gives the innermost open span an identity, because a thread, a child or another program will
  // refer to it: it is kept, however short. Returns it; else the parent that new roots would have.
  OuterParent PinCurrent();
  void set_outer_parent(const OuterParent& parent) { outer_.Store(parent); }
  // In the forked child: open frames become the parent's, parents for new spans and never recorded
  // here; `old_secret` is the parent process's. OnStacks: those on stacks that this thread, whose
  // recorder is `own` (or null), is not on.
  void AfterFork(const IdSecret& old_secret, uint64_t tid);
  static void AfterForkOnStacks(RecorderShared* shared, const IdSecret& old_secret,
                                const Recorder* own);

  // The open spans as format::OpenFrame, outermost first, appended to `frames` as bytes; at most
  // `limit` of them. Called by the background thread while this thread runs: all that are copied
  // were open at one moment; those above one that changed meanwhile are left out. Returns how many;
  // `trace_id` is the outermost one's or zero.
  size_t CopyOpenFrames(std::string* frames, size_t limit, uint64_t trace_id[2]) const;

  // Visits the functions of all open calls, hidden ones too, with when each began, in ticks. By the
  // background thread while this thread runs: what is open all the while is visited. False when it
  // is not, because the thread goes from one stack to another.
  bool VisitOpenFunctions(
      const std::function<void(uint64_t function, uint64_t start)>& visit) const;

  uint32_t thread_index() const { return thread_index_; }
  Recorder* inner_of_entries() const { return inner_of_entries_; }
  Recorder* inner_of_others() const { return inner_of_others_; }
  // Null: this is the thread's outermost recorder.
  Recorder* interrupted() const { return interrupted_; }

  // From here on a recorder's memory may be wiped in a forked child that ran no handler (clone(2)):
  // then every hook that would write to the ring, which is still the parent's, takes the slow path.
  static size_t WipedOffset();

 private:
  // Longer durations do not fit a span's 48 bits.
  static constexpr uint64_t kLongest = format::kMaxDuration - 1;
  static constexpr size_t kSpanWords = format::kSpanWithCallerBytes / sizeof(uint64_t);

  // Frames below the new top are complete: the background thread may look at them.
  void Publish(Frame* top) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&top_, top, __ATOMIC_RELEASE);
  }

  // From here on a handler that interrupts this hook has nothing to do with this frame.
  void NoteEnding(Frame* frame) {
    __atomic_store_n(&ending_, frame, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
  }

  // Is a sequence all that this frame needs to be the parent of a span that is kept? That is so for
  // plain ones in a trace that has begun, unless a reader has seen the frame without (see
  // Identify).
  bool NeedsOnlySequence(const Frame* frame) const {
    return DecisionKind(frame->function) == decision::kPlainRecord && root_ != nullptr &&
           frame->start > shared_->open_frames_copied.load(std::memory_order_relaxed);
  }

  // Where a chunk is written to the reader has read it, on another processor: waiting for its
  // memory to come back would take half as long as the whole call.
  static constexpr size_t kPrefetchedWords = 128;
  static void PrefetchForWriting(const void* memory) {
#if defined(__x86_64__)
    // What compilers make of __builtin_prefetch only for named processors. Those of 64 bits that do
    // not have it do nothing.
    __asm__ volatile("prefetchw (%0)" : : "r"(memory));
#else
    __builtin_prefetch(memory, 1);
#endif
  }

  // Writes a span's record; there is room for it.
  void WriteSpan(const Frame* frame, uint64_t sequence, uint64_t parent, uint64_t duration,
                 uint16_t flags) {
    uint64_t* record = write_;
    const bool caller = shared_->callers;
    uint64_t* next = record + (caller ? kSpanWords : kSpanWords - 1);
    *next = 0;  // the end mark for readers, before this record becomes visible
    PrefetchForWriting(record + kPrefetchedWords);
    record[1] = (frame->start << 16) | (duration & 0xffff);
    record[2] = (sequence << 16) | ((duration >> 16) & 0xffff);
    record[3] = (parent << 16) | (duration >> 32);
    if (caller) record[4] = frame->call_site << 16;
    write_ = next;
    const auto kind = caller ? format::RecordKind::kSpanWithCaller : format::RecordKind::kSpan;
    __atomic_store_n(record, format::HeadWord(kind, flags, frame->function), __ATOMIC_RELEASE);
  }

  // Ends the nearest open frame of this function, which is not the top one.
  void LeaveBelowTop(uint64_t function, uint64_t end);
  // Ends a frame that is not the plain case, or not on top (the ones above it are ended first).
  void LeaveSpecial(Frame* frame, uint64_t end, uint16_t flags);
  void EndFrame(Frame* frame, uint64_t end, uint16_t flags, ThrownException* exception);
  void KeepSlow(Frame* frame, uint64_t end, uint16_t flags, ThrownException* exception);
  void ReturnToOuterTrace();
  bool IsAlone(const Frame* frame, uint64_t end) const;
  // Ends the top frame without an exit hook having been called.
  void PopMissed(uint64_t end, uint16_t flags);
  bool IsDead(const Frame* frame, uint64_t call_site, uint64_t frame_address) const;
  OuterParent ParentOfHandler(Recorder* inner);
  void PruneDeadFrames(uint64_t call_site, uint64_t frame_address, uint16_t flags);

  void Mark(ThrownException* exception);
  ThrownException* TakeMark(Frame* frame, uint16_t flags, uint64_t* end);
  void WriteException(uint64_t sequence, ThrownException* exception);

  // Is this on the stack that the thread is known to be on, or on that of a handler above it?
  bool IsHere(uint64_t address) const {
    return here_.Contains(address) || signal_stack_.Contains(address);
  }
  void FindStackOf(uint64_t address);
  // At an entry: an unknown stack is noted. False when this is another thread, which has none of
  // our memory of its own.
  bool EnterStackOf(uint64_t address, uint64_t call_site);
  bool IsDeeperHere(uint64_t address, uint64_t call_site) const;
  bool IsOwnBetween(uint64_t low, uint64_t high) const;
  StackRange NotedPart(uint64_t address, const CallStack* stack) const;
  bool IsAnotherTask() const;
  void UnwindOutOfStack(uint64_t address, const void* exception);
  // Null: the thread's own. False without memory, or when this address is no longer on the stack.
  bool SwitchTo(CallStack* stack, uint64_t address);
  void SetHere(StackRange range);
  void OpenFastPaths();
  void AllowFastEntries();
  // (The lowest size is that of a fast path that was closed.)
  bool FastPathsAreClosed() const {
    return __atomic_load_n(&fast_size_, __ATOMIC_RELAXED) == 0 && ClockIsFast();
  }
  bool MayEnterFast() const { return hidden_subtree_ == nullptr && !first_entry_; }
  void CloseFastPathsAgain();
  // Has another thread gone on with the calls of the stack that this one was on last? It may have
  // left the stack again, and this one come back to it, without a hook.
  bool HasLostStack() const { return !Holds(stack_.load(std::memory_order_relaxed)); }
  // Null: the thread's own stack, which nobody else takes.
  bool Holds(const CallStack* stack) const {
    return stack == nullptr || CallStack::HolderOf(stack->state.load(std::memory_order_acquire)) ==
                                   reinterpret_cast<uintptr_t>(this);
  }
  OpenCalls Calls() const;
  OpenCalls OwnCalls() const;
  bool TakeCalls(CallStack* stack, uint64_t address, OpenCalls* calls);
  void PutCalls(CallStack* stack);
  uint64_t Held(uint64_t state) const;
  // Ends the open frames of the present stack.
  void EndCalls(uint16_t flags);

  void PushFrame(uint64_t word, uint64_t call_site, uint64_t frame_address);
  bool MoreStack();
  void ReturnToPreviousSegment();

  StackSegment* first_segment() const { return first_segment_.load(std::memory_order_relaxed); }
  Frame* Below(Frame* frame) const;
  Frame* RootFrame() const;
  void CurrentTraceId(const IdSecret& secret, uint64_t trace_id[2]) const;
  // The frame that is the parent of spans directly above `frame`'s position; null at a root.
  Frame* NearestSpan(Frame* frame) const;
  uint64_t ParentSequence(Frame* frame);
  uint64_t NewSequence();
  void SetSequence(Frame* frame);
  void Identify(Frame* frame);
  void BeginTrace();
  void WriteTraceBegin(uint16_t extra_flags);
  void WriteStack(uint64_t sequence, uint64_t frame_address);
  void WriteExtension(format::ExtensionType type, uint64_t sequence,
                      std::initializer_list<std::string_view> payload);
  void LearnThatItIsSlow(uint64_t function, bool is_running);
  void CountShortCall(const Frame* frame);

  // Room for so many words in the chunk, or null: then the record is dropped.
  uint64_t* Reserve(size_t words);
  // `trace_flags`: of the trace begin that a chunk in the middle of a trace starts with.
  bool NextChunk(uint16_t trace_flags = format::kTraceResumed);
  void ReleaseChunk();

  StackSegment* segment_;  // the one top_ is in
  std::atomic<StackSegment*> first_segment_;
  Frame* cut_root_;        // innermost open frame that a `roots` pattern made a root, or null
  Frame* root_;            // the current trace's root once it has begun, else null
  Frame* hidden_subtree_;  // the frame that hides all above it, or null
  uint32_t overflow_;      // entries that found no memory for a frame
  uint32_t depth_;         // open span frames; kept only when max_depth is set
  uint32_t thread_index_;
  bool first_entry_;  // no call yet, and the first one is looked at
  uint64_t tid_;
  ThrownExceptions* thrown_;
  Recorder* interrupted_;    // this one is for hooks inside hooks: of those that it interrupts
  StackRange here_;          // the stack that the thread is on
  StackRange own_;           // its own
  StackRange signal_stack_;  // the one on which a handler was seen last
  std::atomic<CallStack*> stack_;   // the one the thread is on; null: its own
  OpenCalls own_calls_;             // of its own, while it is on another one
  std::atomic<uint32_t> switches_;  // odd while it goes from one to another
  OuterParent outer_;               // of roots that no `roots` pattern cut out

  // The fast path's, two cache lines.
  RecorderShared* shared_;
  Frame* top_;  // one past the innermost open frame
  Recorder* inner_of_entries_;
  Recorder* inner_of_others_;
  uint64_t fast_low_;   // the stack that the thread is on, as far as entries and exits may take the
  uint64_t fast_size_;  // fast path; nothing with a slow clock
  Frame* ending_;       // what was ended last, or is being ended if it is still on top
  // ---- Wiped from here on, see WipedOffset.
  Frame* limit_;              // null while entries must take the slow path
  uint64_t* write_;           // next free word of the chunk
  uint64_t* write_fast_end_;  // a span fits when write_ is below this; null without a chunk
  uint64_t next_sequence_;
  uint64_t sequence_end_;
  uint64_t* write_end_;  // of the chunk's data, less the end mark
  Ring::Chunk* chunk_;
  uint32_t chunk_sequence_;
};

// The same of a stack that no thread is on.
size_t CopyOpenFrames(const OpenCalls& calls, const IdSecret& secret, std::string* frames,
                      size_t limit, uint64_t trace_id[2]);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_RECORDER_H_
