#include "runtime/drainer.h"

#include <string.h>

#include <algorithm>
#include <tuple>

#include "runtime/block_stream.h"
#include "runtime/clock.h"

namespace autotrace {
namespace {

// Of one thread's open frames; deeper ones are rarely looked at after a kill.
constexpr size_t kMaxOpenFrames = 512;

struct Committed {
  uint32_t bytes = 0;
  uint64_t spans = 0;
};

// How far the records from `offset` on are committed, and how many of them are spans.
Committed WalkRecords(const Ring::Chunk* chunk, uint32_t offset, size_t data_bytes) {
  Committed committed;
  const char* data = reinterpret_cast<const char*>(chunk->data);
  size_t at = offset;
  while (at + sizeof(uint64_t) <= data_bytes) {
    const uint64_t head =
        __atomic_load_n(reinterpret_cast<const uint64_t*>(data + at), __ATOMIC_ACQUIRE);
    size_t size = 0;
    switch (format::KindOf(head)) {
      case format::RecordKind::kSpan:
        size = format::kSpanBytes;
        ++committed.spans;
        break;
      case format::RecordKind::kSpanWithCaller:
        size = format::kSpanWithCallerBytes;
        ++committed.spans;
        break;
      case format::RecordKind::kTraceBegin:
        size = sizeof(format::TraceBegin);
        break;
      case format::RecordKind::kExtension:
        size = sizeof(format::Extension) + PadTo8(format::AddressOf(head));
        break;
      case format::RecordKind::kNone:
      case format::RecordKind::kEndOfChunk:
        break;
    }
    if (size == 0 || at + size > data_bytes) break;
    at += size;
  }
  committed.bytes = static_cast<uint32_t>(at - offset);
  return committed;
}

}  // namespace

void Drainer::Emit(format::BlockKind kind, std::string_view payload, bool in_ring) {
  if (in_ring) {
    std::string block;
    AppendBlock(&block, kind, payload);
    shared_->ring.AppendMetadata(block);
  }
  for (BlockSink* sink : sinks_) sink->Block(kind, payload, {}, 0);
}

void Drainer::EmitModules() {
  ModuleChange change;
  while (modules_->NextChange(&change)) EmitModule(change);
  for (size_t i = 0; i < modules_->size(); ++i) {
    Module* module = modules_->at(i);
    if (module != nullptr && !module->told.exchange(true, std::memory_order_relaxed)) {
      EmitState(*module, /*in_ring=*/true);
    }
  }
}

void Drainer::EmitAllModules() {
  for (size_t i = 0; i < modules_->size(); ++i) {
    if (const Module* module = modules_->at(i)) EmitState(*module, /*in_ring=*/false);
  }
}

void Drainer::EmitState(const Module& module, bool in_ring) {
  EmitModule({&module, module.loaded_ticks.load(std::memory_order_relaxed), false, !in_ring});
  if (!module.unload_told.load(std::memory_order_relaxed)) return;
  EmitModule({&module, module.unloaded_ticks.load(std::memory_order_relaxed), true, !in_ring});
}

void Drainer::EmitModule(const ModuleChange& change) {
  Emit(format::BlockKind::kModule, ModuleBlock(change).payload(), /*in_ring=*/!change.in_ring);
}

void Drainer::EmitFunctions() {
  const size_t count = decider_->decided_count();
  constexpr size_t kPerBlock = 4096;
  constexpr size_t kBlockBytes = 1 << 20;  // names of templates can be very long
  while (functions_emitted_ < count) {
    std::string payload;
    const size_t end = std::min(count, functions_emitted_ + kPerBlock);
    for (; functions_emitted_ < end && payload.size() < kBlockBytes; ++functions_emitted_) {
      const DecidedFunction& function = decider_->decided(functions_emitted_);
      const std::string_view name = function.linker_name.substr(0, UINT16_MAX);
      AppendStruct(&payload,
                   format::FunctionEntry{function.address, function.module_id, function.bits,
                                         static_cast<uint16_t>(name.size())});
      payload.append(name);
      AppendPadding(&payload);
    }
    Emit(format::BlockKind::kFunctions, payload);
  }
}

void Drainer::EmitThreads() {
  pool_->ForEach([this](ThreadRecorders* thread) {
    const bool retired =
        thread->state.load(std::memory_order_acquire) == ThreadRecorders::State::kRetired;
    // Again at its end, under its last name.
    if (thread->announced_generation == thread->generation && !retired) return;
    thread->announced_generation = thread->generation;
    if (retired) retired_.push_back(thread);
    const char* text = retired ? thread->final_name : thread->name;
    const std::string_view name(text, strnlen(text, ThreadRecorders::kNameSize));
    for (const Recorder& recorder : thread->levels) {
      std::string payload;
      AppendStruct(&payload, format::ThreadEntry{recorder.thread_index(),
                                                 static_cast<uint32_t>(name.size()), thread->tid});
      payload.append(name);
      Emit(format::BlockKind::kThread, payload);
    }
  });
}

Drainer::PassResult Drainer::Pass() {
  PassResult result;
  Ring& ring = shared_->ring;
  extents_.clear();
  retired_.clear();
  // Threads that have ended by now have nothing more to say than what this pass finds.
  EmitThreads();
  const uint64_t scan_start = Now();
  for (uint32_t i = 0; i < ring.chunk_count(); ++i) {
    Ring::Chunk* chunk = ring.chunk(i);
    if (chunk->header.state.load(std::memory_order_acquire) == format::ChunkState::kFree) continue;
    // One claimed during this scan waits for the next: the thread may have claimed and left others
    // before it, in places that the scan had already passed.
    if (chunk->header.claim_ticks >= scan_start) continue;
    extents_.push_back({chunk->header.thread_index, chunk->header.chunk_sequence, chunk});
  }
  result.ring_use = static_cast<double>(extents_.size()) / std::max(ring.chunk_count(), 1u);
  // In each thread's order. A chunk that a later one follows here was left before that one was
  // claimed, so walking now sees all of it.
  std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.thread_index, a.chunk_sequence) < std::tie(b.thread_index, b.chunk_sequence);
  });
  for (const Extent& extent : extents_) DrainChunk(extent, &result);
  for (ThreadRecorders* thread : retired_) pool_->Recycle(thread);
  bytes_ += result.bytes;
  return result;
}

void Drainer::DrainChunk(const Extent& extent, PassResult* result) {
  Ring::Chunk* chunk = extent.chunk;
  // Before the walk: a chunk that is full now gets no more records.
  const bool full =
      chunk->header.state.load(std::memory_order_acquire) == format::ChunkState::kFull;
  const uint32_t offset = chunk->header.read_offset.load(std::memory_order_relaxed);
  const Committed committed = WalkRecords(chunk, offset, shared_->ring.chunk_data_bytes());
  if (committed.bytes > 0) {
    // After the walk: the functions of these records were decided before they were written.
    EmitModules();
    EmitFunctions();
    EmitRecords(extent, offset,
                {reinterpret_cast<const char*>(chunk->data) + offset, committed.bytes},
                committed.spans);
    chunk->header.read_offset.store(offset + committed.bytes, std::memory_order_release);
    result->bytes += committed.bytes;
    recorded_spans_ += committed.spans;
    shared_->ring.Count(format::Counter::kRecordedSpans, committed.spans);
  }
  if (full) shared_->ring.Free(chunk);
}

void Drainer::EmitRecords(const Extent& extent, uint32_t offset, std::string_view records,
                          uint64_t spans) {
  const format::RecordsHeader header = {extent.thread_index, extent.chunk_sequence, offset, 0,
                                        Now()};
  const std::string_view head(reinterpret_cast<const char*>(&header), sizeof(header));
  for (BlockSink* sink : sinks_) {
    if (!sink->Block(format::BlockKind::kRecords, head, records, spans)) {
      shared_->ring.Count(format::Counter::kDroppedDisk, spans);
    }
  }
}

std::string Drainer::OpenFrameBlocks(size_t limit_bytes) {
  std::string blocks;
  std::string frames;
  const auto add = [&](uint32_t thread_index, auto copy) {
    frames.clear();
    format::OpenFramesHeader header = {};
    header.thread_index = thread_index;
    header.ticks = Now();
    header.count = static_cast<uint32_t>(copy(&frames, header.trace_id));
    if (header.count == 0) return;
    std::string payload;
    AppendStruct(&payload, header);
    payload.append(frames);
    if (blocks.size() + payload.size() + sizeof(format::BlockHeader) > limit_bytes) return;
    AppendBlock(&blocks, format::BlockKind::kOpenFrames, payload);
  };
  pool_->ForEach([&](ThreadRecorders* thread) {
    for (const Recorder& recorder : thread->levels) {
      add(recorder.thread_index(), [&](std::string* copied, uint64_t* trace_id) {
        return recorder.CopyOpenFrames(copied, kMaxOpenFrames, trace_id);
      });
    }
  });
  if (limit_bytes != SIZE_MAX) return blocks;
  // At the end, also what is open on stacks that no thread is on. While threads come and go on them
  // it cannot be told from here.
  shared_->stacks.ForEach([&](CallStack* stack) {
    if (stack->calls.first_segment == nullptr) return;
    add(stack->index, [&](std::string* copied, uint64_t* trace_id) {
      return autotrace::CopyOpenFrames(stack->calls, shared_->secret, copied, kMaxOpenFrames,
                                       trace_id);
    });
    const format::ThreadEntry entry = {stack->index, 0, stack->tid};
    Emit(format::BlockKind::kThread, {reinterpret_cast<const char*>(&entry), sizeof(entry)});
  });
  return blocks;
}

void Drainer::CopyOpenFrames() {
  format::RingHeader* header = shared_->ring.header();
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
  const format::ClockPoint now = CurrentClockPoint();
  Emit(format::BlockKind::kClock, {reinterpret_cast<const char*>(&now), sizeof(now)});
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
