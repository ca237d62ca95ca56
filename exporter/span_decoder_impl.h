// SpanDecoder's inside, in two files: span_decoder.cc takes blocks and makes spans of their
// records, span_decoder_end.cc makes spans of what has no record.
#ifndef AUTOTRACE_EXPORTER_SPAN_DECODER_IMPL_H_
#define AUTOTRACE_EXPORTER_SPAN_DECODER_IMPL_H_

#include <stdint.h>

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/node_hash_map.h"
#include "exporter/address_space.h"
#include "exporter/clock_map.h"
#include "exporter/described_process.h"
#include "exporter/exception_events.h"
#include "exporter/missing_parents.h"
#include "exporter/open_frames.h"
#include "exporter/span_assembler.h"
#include "exporter/span_decoder.h"
#include "exporter/span_details.h"
#include "exporter/thread_traces.h"

namespace autotrace::exporter {

class SpanDecoder::Impl {
 public:
  explicit Impl(DecodeOptions options)
      : own_files_(options.source_locations),
        addresses_(options.module_files != nullptr ? options.module_files : &own_files_),
        process_(options.process_key) {}

  void Prescan(uint16_t kind, std::string_view payload);
  void PrescanOpenFrames(std::string_view payload) { OnOpenFrames(payload).IgnoreError(); }
  absl::Status Block(uint16_t kind, std::string_view payload, SpanSink& sink);
  absl::Status End(SpanSink& sink);
  const Process& process() const { return process_.present(); }
  const DecodeStatistics& statistics() const { return statistics_; }
  const AddressSpace& addresses() const { return addresses_; }
  const filters::Config& config() const { return process_.config(); }

 private:
  struct ThreadState {
    const Thread* thread = nullptr;  // also kept by `names`
    std::deque<Thread> names;        // what it was called, as long as somebody may ask
    ThreadTraces traces;
    OpenFrames open;
    // By sequence, until its record comes. Nodes: they are large, and a table of them is mostly
    // room.
    absl::node_hash_map<uint64_t, SpanDetails> details;
    ExceptionEvents exceptions;
    uint64_t last_end = 0;  // ticks
  };

  absl::Status OnProcess(std::string_view payload);
  absl::Status OnClock(std::string_view payload);
  absl::Status OnThread(std::string_view payload);
  absl::Status OnQuiet(std::string_view payload);
  void NameQuiet();
  absl::Status OnOpenFrames(std::string_view payload);
  absl::Status OnRecords(std::string_view payload, SpanSink& sink);
  absl::Status OnSpan(const char* record, uint64_t head, uint64_t ticks, ThreadState& state,
                      SpanSink& sink);
  void OnTraceBegin(const char* record, ThreadState& state);
  absl::Status OnThreadEnd(std::string_view payload, SpanSink& sink);
  absl::Status OnExtension(const char* record, uint64_t head, ThreadState& state);
  absl::Status OnThreadState(std::string_view payload);

  static SpanPlace PlaceOfRoot(const Trace& trace) {
    return {trace.id, trace.parent, trace.parent_is_remote};
  }
  SpanPlace PlaceOf(uint64_t sequence, uint64_t parent, const ThreadState& state);
  absl::Status Emit(const RawSpan& raw, const SpanPlace& place, ThreadState& state, SpanSink& sink);
  // A span that may be the parent of others whose own parents have no record.
  struct Enclosing {
    SpanId span;
    TraceId trace;
    uint64_t start = 0;  // ticks
  };
  // Why a span has no record.
  enum class Missing { kOpen, kDropped };

  absl::Status EmitOpenFrames(ThreadState& state, std::vector<Enclosing>* emitted, SpanSink& sink);
  bool HasDropped() const;
  // At the end of the data.
  absl::Status EndThread(ThreadState& state, SpanSink& sink);
  void MatchOpenFrames(ThreadState& state);
  absl::Status StandIn(const std::vector<MissingParents::Parent>& missing, Missing why,
                       std::vector<Enclosing> enclosing, ThreadState& state, SpanSink& sink);
  absl::Status EmitMissingRoot(const Trace& root, Missing why, uint64_t end, ThreadState& state,
                               SpanSink& sink);
  absl::Status EmitPlaceholder(const MissingParents::Parent& parent, Missing why,
                               const SpanPlace& place, uint64_t end, ThreadState& state,
                               SpanSink& sink);

  ThreadState& StateOf(uint32_t thread_index);

  ModuleFiles own_files_;
  AddressSpace addresses_;
  DescribedProcess process_;
  ClockMap clock_;
  SpanAssembler assembler_{&addresses_, &process_, &clock_};
  absl::btree_map<uint32_t, std::unique_ptr<ThreadState>> threads_;  // by index
  MissingParents missing_;
  absl::btree_map<uint64_t, uint64_t> quiet_;  // functions by address: their calls
  uint64_t synthetic_sequences_ = 0;
  bool prescanned_ = false;
  bool ended_ = false;  // in an orderly way: what has no record was dropped
  Span span_;           // reused, so that a plain span allocates nothing
  DecodeStatistics statistics_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SPAN_DECODER_IMPL_H_
