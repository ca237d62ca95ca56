// Empties the ring: passes what traced threads recorded on to the sinks, with the modules,
// functions and threads it refers to in front of it. Also keeps the copy of open spans that a kill
// leaves. One thread at a time: the background thread, or the thread that ends the process.
#ifndef AUTOTRACE_RUNTIME_DRAINER_H_
#define AUTOTRACE_RUNTIME_DRAINER_H_

#include <stdint.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "runtime/block_sink.h"
#include "runtime/clock.h"
#include "runtime/clock_lines.h"
#include "runtime/decider.h"
#include "runtime/module_history.h"
#include "runtime/module_table.h"
#include "runtime/recorder.h"
#include "runtime/thread_recorders.h"

namespace autotrace {

class Drainer {
 public:
  Drainer(RecorderShared* shared, RecorderPool* pool, ModuleTable* modules, Decider* decider)
      : shared_(shared), pool_(pool), modules_(modules), decider_(decider) {}

  void AddSink(BlockSink* sink) { sinks_.push_back(sink); }
  // Passes a block on to all sinks and, with `in_ring`, to the ring's metadata.
  void Emit(format::BlockKind kind, std::string_view payload, bool in_ring = false);

  // What was loaded since the last time.
  void EmitModules();
  // What was unloaded. Now and then: it is for callers in what nobody traces.
  void EmitGoneModules();
  // All that was emitted by now, for a sink that was added late. The others get it again.
  void EmitAllModules();

  struct PassResult {
    uint64_t bytes = 0;   // drained
    double ring_use = 0;  // share of the chunks that were in use
  };
  // Drains what is committed now.
  PassResult Pass();

  // Every 100 ms or so: a copy of the open spans into the ring, and a sign of life.
  void CopyOpenFrames();
  // As of the last copy: is any call open that is this process's own?
  bool has_open_calls() const { return has_open_calls_; }
  // No span that comes from now on began before this moment, in ticks.
  uint64_t oldest_start() const { return std::min(oldest_starts_[0], oldest_starts_[1]); }
  // The same to the sinks, at the end of the process.
  void EmitOpenFrames();
  void EmitClock();
  void EmitClockIfDue();
  // Again, for a sink that was added late: spans that begin before its first line have the times
  // that they have for the others.
  void EmitFirstClockLines();
  void EmitCounters();

  uint64_t recorded_spans() const { return recorded_spans_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Extent {
    uint32_t thread_index;
    uint32_t chunk_sequence;
    Ring::Chunk* chunk;
  };

  void EmitModule(const ModuleChange& change, bool in_ring = false);
  void EmitFunctions();
  void AddToRing(std::string_view block);
  // Threads are told about when there is something of theirs: most of a thread's recorders (those
  // for hooks inside hooks) never record, and those that do are many in a program's life.
  void Introduce(uint32_t thread_index, uint64_t tid, std::string_view name);
  void IntroduceOwnerOf(const Extent& extent);
  void FindRetired();
  void DismissRetired();
  // Reads these chunks from where they were left, and frees those that their threads have left.
  void DrainChunks(const Extent* extents, size_t count, PassResult* result);
  // Of these chunks, what is committed by now, into `blocks_`.
  void FindRecords(const Extent* extents, size_t count);
  void EmitRecordsTo(BlockSink* sink);
  // As much of it as the sink takes; counts the rest.
  void EmitRecordsTo(BlockSink* sink, const RecordsBlock& block);
  std::string OpenFrameBlocks(size_t limit_bytes);
  void LookAtOldest(std::string_view frames);

  RecorderShared* shared_;
  RecorderPool* pool_;
  ModuleTable* modules_;
  Decider* decider_;
  std::vector<BlockSink*> sinks_;
  std::vector<Extent> extents_;
  std::vector<RecordsBlock> blocks_;
  std::vector<ThreadRecorders*> retired_;
  ClockLines clock_lines_{g_clock.ticks_per_second};
  std::string first_lines_;
  std::unordered_set<uint32_t> introduced_;  // indices of threads that have not ended
  std::string waiting_for_ring_;             // metadata blocks that could not be added yet
  ModuleHistory modules_emitted_;
  std::vector<ModuleChange> changes_;
  // All before the first, and these of the others.
  size_t functions_emitted_ = 0;
  std::unordered_set<size_t> functions_emitted_early_;
  bool has_open_calls_ = false;
  // Of calls that were open at the last copy, and at the one before: what was open then may have
  // ended since and not have been drained yet.
  uint64_t oldest_starts_[2] = {0, 0};
  uint64_t recorded_spans_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_DRAINER_H_
