#include "runtime/drainer.h"

#include <string.h>

#include <algorithm>
#include <tuple>

#include "runtime/block_stream.h"
#include "runtime/clock.h"
#include "runtime/record_walk.h"

namespace autotrace {
namespace {

// Of one thread's open frames; deeper ones are rarely looked at after a kill.
constexpr size_t kMaxOpenFrames = 512;
// A ring that was fuller than this is given more memory when it has been emptied. Before that it
// would be in the way: memory takes longer to come than chunks to become free.
constexpr double kUseThatGrows = 1.0 / 8;
// Unless draining a few takes so many nanoseconds, because of a slow disk, or the first look at
// debug information.
constexpr uint64_t kLongToDrain = 1'000'000;

// How many chunks are drained in one go: at most so many, which a processor's own cache holds until
// all has been done with them, and, while the program needs them back, no larger share of the ring.
constexpr size_t kMostAtOnce = 16;
constexpr size_t kShareAtOnce = 8;

struct Committed {
  uint32_t bytes = 0;
  uint64_t spans = 0;
};

// Size of the record that begins here; 0: none is committed, or none that fits.
size_t CommittedSize(const char* record, size_t room, bool* is_span) {
  *is_span = false;
  if (room < sizeof(uint64_t)) return 0;
  const uint64_t head =
      __atomic_load_n(reinterpret_cast<const uint64_t*>(record), __ATOMIC_ACQUIRE);
  *is_span = IsSpan(head);
  const size_t size = RecordBytes(head);
  return size <= room ? size : 0;
}

// How much of these bytes is whole, committed records, and how many of them are spans.
Committed WalkRecords(const char* records, size_t bytes) {
  Committed committed;
  bool is_span = false;
  while (const size_t size =
             CommittedSize(records + committed.bytes, bytes - committed.bytes, &is_span)) {
    committed.bytes += static_cast<uint32_t>(size);
    if (is_span) ++committed.spans;
  }
  return committed;
}

}  // namespace

void Drainer::Emit(format::BlockKind kind, std::string_view payload, bool in_ring) {
  if (in_ring) {
    std::string block;
    AppendBlock(&block, kind, payload);
    AddToRing(block);
  }
  for (BlockSink* sink : sinks_) sink->Block(kind, payload, {}, 0);
}

// What finds the ring's metadata taken by another thread is added at the next occasion. What does
// not fit stands in the sinks only, as docs/trace-format.md says.
void Drainer::AddToRing(std::string_view block) {
  waiting_for_ring_.append(block);
  if (waiting_for_ring_.empty()) return;
  if (shared_->ring.AppendMetadata(waiting_for_ring_) ||
      !shared_->ring.HasMetadataRoom(waiting_for_ring_.size())) {
    waiting_for_ring_.clear();
  }
}

void Drainer::EmitModules() {
  for (size_t i = 0; i < modules_->size(); ++i) {
    Module* module = modules_->at(i);
    if (!module->to_tell.load(std::memory_order_relaxed) ||
        !module->to_tell.exchange(false, std::memory_order_acquire)) {
      continue;
    }
    EmitModule({module, module->there_since.load(std::memory_order_relaxed), false},
               /*in_ring=*/true);
    if (module->gone.load(std::memory_order_relaxed)) {
      EmitModule({module, module->gone_since.load(std::memory_order_relaxed), true},
                 /*in_ring=*/true);
    }
  }
  changes_.clear();
  shared_->module_records.TakeAll([this](const format::ModuleEntry& entry) {
    changes_.push_back({modules_->at(entry.id - 1), entry.ticks, false});
  });
  std::sort(
      changes_.begin(), changes_.end(),
      [](const ModuleChange& one, const ModuleChange& other) { return one.ticks < other.ticks; });
  for (const ModuleChange& change : changes_) EmitModule(change);
}

void Drainer::EmitGoneModules() {
  changes_.clear();
  modules_->FindGone(&changes_);
  for (const ModuleChange& change : changes_) EmitModule(change);
}

void Drainer::EmitAllModules() {
  modules_emitted_.ForEach(
      [this](std::string_view payload) { Emit(format::BlockKind::kModule, payload); });
}

void Drainer::EmitModule(const ModuleChange& change, bool in_ring) {
  const ModulePayload payload(change);
  modules_emitted_.Add(payload.bytes());
  Emit(format::BlockKind::kModule, payload.bytes(), in_ring);
}

void Drainer::EmitFunctions() {
  const size_t count = decider_->functions().count();
  constexpr size_t kBlockBytes = 1 << 20;
  std::string payload;
  for (size_t i = functions_emitted_; i < count; ++i) {
    // A thread that is stopped in the middle of its entry keeps no others back.
    const DecidedFunction* function = decider_->functions().at(i);
    if (function == nullptr || functions_emitted_early_.count(i) > 0) continue;
    functions_emitted_early_.insert(i);
    if (function->address == 0) continue;
    const std::string_view name = function->linker_name.substr(0, UINT16_MAX);
    AppendStruct(&payload,
                 format::FunctionEntry{function->address, function->module_id, function->bits,
                                       static_cast<uint16_t>(name.size())});
    payload.append(name);
    AppendPadding(&payload);
    const Module* module =
        function->module_id != 0 ? modules_->at(function->module_id - 1) : nullptr;
    if (module != nullptr) module->image.LimitResidentPages(name);
    if (payload.size() < kBlockBytes) continue;
    Emit(format::BlockKind::kFunctions, payload);
    payload.clear();
  }
  if (!payload.empty()) Emit(format::BlockKind::kFunctions, payload);
  while (functions_emitted_early_.erase(functions_emitted_) > 0) ++functions_emitted_;
}

void Drainer::Introduce(uint32_t thread_index, uint64_t tid, std::string_view name) {
  introduced_.insert(thread_index);
  std::string payload;
  AppendStruct(&payload,
               format::ThreadEntry{thread_index, static_cast<uint32_t>(name.size()), tid});
  payload.append(name);
  Emit(format::BlockKind::kThread, payload);
}

void Drainer::IntroduceOwnerOf(const Extent& extent) {
  if (introduced_.count(extent.thread_index) > 0) return;
  const ThreadRecorders* owner = nullptr;
  pool_->ForEach([&](ThreadRecorders* thread) {
    thread->ForEachRecorder([&](const Recorder* recorder) {
      if (recorder->thread_index() == extent.thread_index) owner = thread;
    });
  });
  // Without a background thread its recorder may be another one's by now.
  Introduce(extent.thread_index, extent.chunk->header.tid,
            owner != nullptr ? owner->name_now() : std::string_view());
}

// Threads that have ended by now have nothing more to say than what this pass will find.
void Drainer::FindRetired() {
  retired_.clear();
  pool_->ForEach([this](ThreadRecorders* thread) {
    if (thread->place->is_retired()) retired_.push_back(thread);
  });
}

// After their last records: readers, and the next segments, can forget them.
void Drainer::DismissRetired() {
  std::string ended;
  for (ThreadRecorders* thread : retired_) {
    thread->ForEachRecorder([&](const Recorder* recorder) {
      if (introduced_.erase(recorder->thread_index()) == 0) return;
      // Programs name their threads late.
      if (thread->name_now() != thread->first_name()) {
        Introduce(recorder->thread_index(), thread->tid, thread->name_now());
        introduced_.erase(recorder->thread_index());
      }
      AppendStruct(&ended, recorder->thread_index());
    });
    pool_->Recycle(thread);
  }
  if (!ended.empty()) Emit(format::BlockKind::kThreadEnd, ended);
}

Drainer::PassResult Drainer::Pass() {
  PassResult result;
  Ring& ring = shared_->ring;
  extents_.clear();
  FindRetired();
  AddToRing({});
  const uint64_t scan_start = Now();
  const uint32_t chunk_count = ring.chunk_count();
  for (uint32_t i = 0; i < chunk_count; ++i) {
    if (ring.is_parked(i)) continue;  // looking at it would give it memory
    Ring::Chunk* chunk = ring.chunk(i);
    if (chunk->header.state.load(std::memory_order_acquire) == format::ChunkState::kFree) continue;
    // One claimed during this scan waits for the next: the thread may have claimed and left others
    // before it, in places that the scan had already passed.
    if (chunk->header.claim_ticks >= scan_start) continue;
    extents_.push_back({chunk->header.thread_index, chunk->header.chunk_sequence, chunk});
  }
  result.ring_use = static_cast<double>(extents_.size()) / std::max(ring.chunks_with_memory(), 1u);
  // In each thread's order. A chunk that a later one follows here was left before that one was
  // claimed, so walking now sees all of it.
  std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.thread_index, a.chunk_sequence) < std::tie(b.thread_index, b.chunk_sequence);
  });
  const size_t at_once =
      std::clamp<size_t>(ring.chunks_with_memory() / kShareAtOnce, 1, kMostAtOnce);
  for (size_t i = 0; i < extents_.size(); i += at_once) {
    const uint64_t begin = MonotonicNanos();
    DrainChunks(&extents_[i], std::min(at_once, extents_.size() - i), &result);
    if (!ring.HasFreeChunk() && MonotonicNanos() - begin > kLongToDrain) ring.Grow();
  }
  if (result.ring_use > kUseThatGrows) ring.Grow();
  DismissRetired();
  modules_emitted_.EndPass();
  for (BlockSink* sink : sinks_) sink->PassEnded();
  bytes_ += result.bytes;
  return result;
}

void Drainer::DrainChunks(const Extent* extents, size_t count, PassResult* result) {
  // Before the walk: a chunk that is full now gets no more records.
  uint64_t full = 0;
  static_assert(kMostAtOnce <= 64);
  for (size_t i = 0; i < count; ++i) {
    const auto state = extents[i].chunk->header.state.load(std::memory_order_acquire);
    if (state == format::ChunkState::kFull) full |= uint64_t{1} << i;
  }
  FindRecords(extents, count);
  const bool has_records =
      std::any_of(blocks_.begin(), blocks_.end(),
                  [](const RecordsBlock& block) { return !block.body.empty(); });
  if (has_records || full != 0) {
    // After the walk: the functions of these records were decided before they were written. And
    // before a chunk is freed.
    EmitModules();
    EmitFunctions();
  }
  for (size_t i = 0; i < count; ++i) {
    if (!blocks_[i].body.empty()) IntroduceOwnerOf(extents[i]);
  }
  for (BlockSink* sink : sinks_) EmitRecordsTo(sink);
  for (size_t i = 0; i < count; ++i) {
    Ring::Chunk* chunk = extents[i].chunk;
    const RecordsBlock& block = blocks_[i];
    const auto bytes = static_cast<uint32_t>(block.body.size());
    if (bytes > 0) {
      chunk->header.read_offset.store(block.head.chunk_offset + bytes, std::memory_order_release);
      result->bytes += bytes;
      recorded_spans_ += block.spans;
      shared_->ring.Count(format::Counter::kRecordedSpans, block.spans);
    }
    if ((full >> i & 1) != 0) shared_->ring.Free(chunk);
  }
}

void Drainer::FindRecords(const Extent* extents, size_t count) {
  blocks_.clear();
  for (size_t i = 0; i < count; ++i) {
    const Ring::Chunk* chunk = extents[i].chunk;
    const uint32_t offset = chunk->header.read_offset.load(std::memory_order_relaxed);
    const char* records = reinterpret_cast<const char*>(chunk->data) + offset;
    const Committed committed = WalkRecords(records, shared_->ring.chunk_data_bytes() - offset);
    blocks_.push_back({{extents[i].thread_index, extents[i].chunk_sequence, offset, 0, 0},
                       {records, committed.bytes},
                       committed.spans});
  }
  const uint64_t now = Now();
  for (RecordsBlock& block : blocks_) block.head.ticks = now;
}

void Drainer::EmitRecordsTo(BlockSink* sink) {
  const auto is_empty = [](const RecordsBlock& block) { return block.body.empty(); };
  auto next = blocks_.begin();
  for (;;) {
    next = std::find_if_not(next, blocks_.end(), is_empty);
    if (next == blocks_.end()) return;
    const auto end = std::find_if(next, blocks_.end(), is_empty);
    const size_t taken = sink->RecordsAtOnce(&*next, static_cast<size_t>(end - next));
    next += static_cast<ptrdiff_t>(taken);
    if (taken == 0) EmitRecordsTo(sink, *next++);
  }
}

void Drainer::EmitRecordsTo(BlockSink* sink, const RecordsBlock& block) {
  format::RecordsHeader header = block.head;
  std::string_view records = block.body;
  uint64_t spans = block.spans;
  const std::string_view head(reinterpret_cast<const char*>(&header), sizeof(header));
  while (!sink->Block(format::BlockKind::kRecords, head, records, spans)) {
    // A disk that is nearly full, or a limit on the size of files, takes a part.
    constexpr size_t kHeaders = sizeof(header) + sizeof(format::BlockHeader);
    const uint64_t room = sink->Room();
    const size_t most = std::min(records.size(), size_t{room > kHeaders ? room - kHeaders : 0});
    const Committed part = WalkRecords(records.data(), most);
    if (part.bytes == 0 || part.bytes == records.size() ||
        !sink->Block(format::BlockKind::kRecords, head, records.substr(0, part.bytes),
                     part.spans)) {
      if (!sink->Refused(head, records, spans)) {
        shared_->ring.Count(format::Counter::kDroppedDisk, spans);
      }
      return;
    }
    header.chunk_offset += part.bytes;
    records.remove_prefix(part.bytes);
    spans -= part.spans;
  }
}

std::string Drainer::OpenFrameBlocks(size_t limit_bytes) {
  std::string blocks;
  std::string frames;
  const auto add = [&](uint32_t thread_index, uint64_t tid, std::string_view name, auto copy) {
    frames.clear();
    format::OpenFramesHeader header = {};
    header.thread_index = thread_index;
    header.ticks = Now();
    header.count = static_cast<uint32_t>(copy(&frames, header.trace_id));
    if (header.count == 0) return;
    LookAtOldest(frames);
    std::string payload;
    AppendStruct(&payload, header);
    payload.append(frames);
    if (blocks.size() + payload.size() + sizeof(format::BlockHeader) > limit_bytes) return;
    if (introduced_.count(thread_index) == 0) Introduce(thread_index, tid, name);
    AppendBlock(&blocks, format::BlockKind::kOpenFrames, payload);
  };
  pool_->ForEach([&](ThreadRecorders* thread) {
    thread->ForEachRecorder([&](const Recorder* recorder) {
      add(recorder->thread_index(), thread->tid, thread->name_now(),
          [&](std::string* copied, uint64_t* trace_id) {
            return recorder->CopyOpenFrames(copied, kMaxOpenFrames, trace_id);
          });
    });
  });
  if (limit_bytes != SIZE_MAX) return blocks;
  // At the end, also what is open on stacks that no thread is on. While threads come and go on them
  // it cannot be told from here.
  shared_->stacks.ForEach([&](CallStack* stack) {
    const CallStack::Place* place = stack->PlaceIn(stack->state);
    if (place == nullptr) return;
    add(stack->index, place->tid, {}, [&](std::string* copied, uint64_t* trace_id) {
      return autotrace::CopyOpenFrames(place->calls, shared_->secret, copied, kMaxOpenFrames,
                                       trace_id);
    });
  });
  return blocks;
}

void Drainer::LookAtOldest(std::string_view frames) {
  for (size_t at = 0; at + sizeof(format::OpenFrame) <= frames.size();
       at += sizeof(format::OpenFrame)) {
    format::OpenFrame frame;
    memcpy(&frame, frames.data() + at, sizeof(frame));
    if ((format::FlagsOf(frame.head) & format::kSpanInherited) != 0) continue;
    has_open_calls_ = true;
    oldest_starts_[0] = std::min(oldest_starts_[0], frame.start);
    return;  // they are in the order in which they began
  }
}

void Drainer::CopyOpenFrames() {
  format::RingHeader* header = shared_->ring.header();
  oldest_starts_[1] = oldest_starts_[0];
  oldest_starts_[0] = Now();
  has_open_calls_ = false;
  shared_->open_frames_copied.store(UINT64_MAX, std::memory_order_relaxed);
  shared_->ring.PublishOpenFrames(OpenFrameBlocks(header->open_frames_capacity - sizeof(uint64_t)));
  const format::ClockPoint now = CurrentClockPoint();
  shared_->open_frames_copied.store(now.ticks, std::memory_order_relaxed);
  header->heartbeat_ticks.store(now.ticks, std::memory_order_relaxed);
  header->heartbeat_unix_nanos.store(now.unix_nanos, std::memory_order_relaxed);
}

void Drainer::EmitOpenFrames() {
  const std::string blocks = OpenFrameBlocks(SIZE_MAX);
  for (size_t at = 0; at + sizeof(format::BlockHeader) <= blocks.size();) {
    format::BlockHeader header;
    memcpy(&header, blocks.data() + at, sizeof(header));
    Emit(format::BlockKind::kOpenFrames,
         std::string_view(blocks).substr(at + sizeof(header), header.size));
    at += sizeof(header) + PadTo8(header.size);
  }
}

void Drainer::EmitClock() {
  constexpr size_t kMostFirstLines = 64;  // of the time before the exporter is loaded
  const format::ClockLine line = clock_lines_.Next(CurrentClockPoint());
  if (first_lines_.size() < kMostFirstLines * sizeof(line)) AppendStruct(&first_lines_, line);
  Emit(format::BlockKind::kClock, {reinterpret_cast<const char*>(&line), sizeof(line)});
}

void Drainer::EmitFirstClockLines() { Emit(format::BlockKind::kClock, first_lines_); }

void Drainer::EmitClockIfDue() {
  if (clock_lines_.IsDue(Now())) EmitClock();
}

void Drainer::EmitCounters() {
  std::string payload;
  for (uint32_t i = 0; i < static_cast<uint32_t>(format::Counter::kCount); ++i) {
    AppendStruct(&payload,
                 format::CounterEntry{
                     i, 0, shared_->ring.header()->counters[i].load(std::memory_order_relaxed)});
  }
  Emit(format::BlockKind::kCounters, payload);
}

}  // namespace autotrace
