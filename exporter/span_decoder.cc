#include "exporter/span_decoder.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "exporter/address_space.h"
#include "exporter/byte_order.h"
#include "exporter/clock_map.h"
#include "exporter/described_process.h"
#include "exporter/exception_events.h"
#include "exporter/open_frames.h"
#include "exporter/records.h"
#include "exporter/span_assembler.h"
#include "exporter/span_details.h"
#include "exporter/thread_traces.h"
#include "runtime/ids.h"

namespace autotrace::exporter {
namespace {

using format::BlockKind;
using format::RecordKind;

// Sequences of open frames that were never given one. Recorders count up from 1 and do not get
// here.
constexpr uint64_t kSyntheticSequences = uint64_t{1} << 47;
// More details than spans can reasonably be open in a thread when one of its traces ends.
constexpr size_t kMostDetails = 4096;

// The tick a span ended at, from its low 48 bits and a moment that it did not end after.
uint64_t DateEnd(uint64_t end48, uint64_t not_after) {
  const uint64_t age = (not_after - end48) & format::kMask48;
  return age <= not_after ? not_after - age : end48;
}

}  // namespace

class SpanDecoder::Impl {
 public:
  explicit Impl(DecodeOptions options)
      : own_files_(options.source_locations),
        addresses_(options.module_files != nullptr ? options.module_files : &own_files_),
        process_(options.process_key) {}

  void Prescan(uint16_t kind, std::string_view payload);
  absl::Status Block(uint16_t kind, std::string_view payload, SpanSink& sink);
  absl::Status End(SpanSink& sink);
  const Process& process() const { return process_.present(); }
  const DecodeStatistics& statistics() const { return statistics_; }

 private:
  struct ThreadState {
    const Thread* thread = nullptr;
    ThreadTraces traces;
    OpenFrames open;
    absl::flat_hash_map<uint64_t, SpanDetails> details;  // by sequence, until its record comes
    ExceptionEvents exceptions;
    uint64_t last_end = 0;  // ticks
  };

  absl::Status OnProcess(std::string_view payload);
  absl::Status OnClock(std::string_view payload);
  absl::Status OnThread(std::string_view payload);
  absl::Status OnOpenFrames(std::string_view payload);
  absl::Status OnRecords(std::string_view payload, SpanSink& sink);
  absl::Status OnSpan(const char* record, uint64_t head, uint64_t ticks, ThreadState& state,
                      SpanSink& sink);
  void OnTraceBegin(const char* record, ThreadState& state);
  absl::Status OnExtension(const char* record, uint64_t head, ThreadState& state);

  static SpanPlace PlaceOfRoot(const Trace& trace) {
    return {trace.id, trace.parent, trace.parent_is_remote};
  }
  SpanPlace PlaceOf(uint64_t sequence, uint64_t parent, const ThreadState& state);
  absl::Status Emit(const RawSpan& raw, const SpanPlace& place, ThreadState& state, SpanSink& sink);
  absl::Status EmitOpenFrames(ThreadState& state, SpanSink& sink);

  ThreadState& StateOf(uint32_t thread_index);

  ModuleFiles own_files_;
  AddressSpace addresses_;
  DescribedProcess process_;
  ClockMap clock_;
  SpanAssembler assembler_{&addresses_, &process_, &clock_};
  absl::btree_map<uint32_t, std::unique_ptr<ThreadState>> threads_;  // by index
  std::deque<Thread> all_threads_;
  uint64_t synthetic_sequences_ = 0;
  bool prescanned_ = false;
  DecodeStatistics statistics_;
};

// ---- Blocks ------------------------------------------------------------------------------------

void SpanDecoder::Impl::Prescan(uint16_t kind, std::string_view payload) {
  prescanned_ = true;
  // Damage is reported when the block is decoded.
  switch (static_cast<BlockKind>(kind)) {
    case BlockKind::kProcess:
      OnProcess(payload).IgnoreError();
      break;
    case BlockKind::kClock:
    case BlockKind::kEnd:
      OnClock(payload).IgnoreError();
      break;
    case BlockKind::kThread:
      OnThread(payload).IgnoreError();
      break;
    case BlockKind::kOpenFrames:
      OnOpenFrames(payload).IgnoreError();
      break;
    case BlockKind::kCounters:
      process_.Count(payload).IgnoreError();
      break;
    default:
      break;
  }
}

absl::Status SpanDecoder::Impl::Block(uint16_t kind, std::string_view payload, SpanSink& sink) {
  switch (static_cast<BlockKind>(kind)) {
    case BlockKind::kProcess:
      return OnProcess(payload);
    case BlockKind::kClock:
    case BlockKind::kEnd:
      return OnClock(payload);
    case BlockKind::kModule:
      return addresses_.AddModule(payload);
    case BlockKind::kFunctions:
      return addresses_.AddFunctions(payload);
    case BlockKind::kThread:
      // A thread has the last name that it was given, also where an earlier one stands here.
      return prescanned_ ? absl::OkStatus() : OnThread(payload);
    case BlockKind::kRecords:
      return OnRecords(payload, sink);
    case BlockKind::kOpenFrames:
      return OnOpenFrames(payload);
    case BlockKind::kCounters: {
      const absl::Status status = process_.Count(payload);
      statistics_.counters = process_.counters();
      return status;
    }
  }
  return absl::OkStatus();  // of a newer writer
}

absl::Status SpanDecoder::Impl::OnProcess(std::string_view payload) {
  std::string warning;
  const absl::Status status = process_.Describe(payload, &warning);
  if (!warning.empty()) statistics_.warnings.push_back(std::move(warning));
  clock_.SetRate(process_.info().ticks_per_second);
  clock_.SetStart(process_.info().start_unix_nanos);
  return status;
}

absl::Status SpanDecoder::Impl::OnClock(std::string_view payload) {
  format::ClockPoint point;
  if (!Take(&payload, &point)) return absl::DataLossError("a clock block is too short");
  clock_.AddPoint(point);
  return absl::OkStatus();
}

absl::Status SpanDecoder::Impl::OnThread(std::string_view payload) {
  format::ThreadEntry entry;
  if (!Take(&payload, &entry) || payload.size() < entry.name_size) {
    return absl::DataLossError("a thread entry is too short");
  }
  const std::string_view name = payload.substr(0, entry.name_size);
  ThreadState& state = StateOf(entry.index);
  if (name.empty() && state.thread->tid != 0) return absl::OkStatus();  // known better
  if (state.thread->tid != entry.tid || state.thread->name != name) {
    state.thread = &all_threads_.emplace_back(Thread{entry.tid, entry.index, std::string(name)});
  }
  return absl::OkStatus();
}

absl::Status SpanDecoder::Impl::OnOpenFrames(std::string_view payload) {
  format::OpenFramesHeader header;
  if (!Take(&payload, &header)) {
    return absl::DataLossError("a block of open frames is too short");
  }
  return StateOf(header.thread_index).open.Replace(header, payload);
}

SpanDecoder::Impl::ThreadState& SpanDecoder::Impl::StateOf(uint32_t thread_index) {
  std::unique_ptr<ThreadState>& state = threads_[thread_index];
  if (state == nullptr) {
    state = std::make_unique<ThreadState>();
    state->thread = &all_threads_.emplace_back(Thread{0, thread_index, ""});
  }
  return *state;
}

// ---- Records -----------------------------------------------------------------------------------

absl::Status SpanDecoder::Impl::OnRecords(std::string_view payload, SpanSink& sink) {
  format::RecordsHeader header;
  if (!Take(&payload, &header)) return absl::DataLossError("a block of records is too short");
  ThreadState& state = StateOf(header.thread_index);
  absl::Status damage;
  while (payload.size() >= sizeof(uint64_t)) {
    const char* record = payload.data();
    const auto head = Load<uint64_t>(record);
    if (format::KindOf(head) == RecordKind::kEndOfChunk) break;
    const size_t size = RecordSize(head);
    if (size == 0 || size > payload.size()) {
      return absl::DataLossError("a block of records holds something that is no record");
    }
    payload.remove_prefix(size);
    switch (format::KindOf(head)) {
      case RecordKind::kSpan:
      case RecordKind::kSpanWithCaller:
        if (absl::Status status = OnSpan(record, head, header.ticks, state, sink); !status.ok()) {
          return status;
        }
        break;
      case RecordKind::kTraceBegin:
        OnTraceBegin(record, state);
        break;
      case RecordKind::kExtension:
        damage.Update(OnExtension(record, head, state));
        break;
      case RecordKind::kNone:
      case RecordKind::kEndOfChunk:
        break;
    }
  }
  return damage;
}

void SpanDecoder::Impl::OnTraceBegin(const char* record, ThreadState& state) {
  const auto begin = Load<format::TraceBegin>(record);
  state.traces.Begin(begin, process_.info().secret);
  state.open.Identify(format::AddressOf(begin.head), begin.start, begin.root_sequence);
}

absl::Status SpanDecoder::Impl::OnExtension(const char* record, uint64_t head, ThreadState& state) {
  const auto extension = Load<format::Extension>(record);
  const std::string_view payload(record + sizeof(extension), format::AddressOf(head));
  const auto type = static_cast<format::ExtensionType>(format::FlagsOf(head));
  if (type != format::ExtensionType::kIdentity) {
    return state.details[extension.sequence].Add(type, payload);
  }
  if (payload.size() != sizeof(format::IdentityPayload)) {
    return absl::DataLossError("an identity record has a wrong size");
  }
  const auto identity = Load<format::IdentityPayload>(payload.data());
  state.open.Identify(identity.function, identity.start, extension.sequence);
  return absl::OkStatus();
}

absl::Status SpanDecoder::Impl::OnSpan(const char* record, uint64_t head, uint64_t ticks,
                                       ThreadState& state, SpanSink& sink) {
  const auto word1 = Load<uint64_t>(record + 8);
  const auto word2 = Load<uint64_t>(record + 16);
  const auto word3 = Load<uint64_t>(record + 24);
  const uint64_t start48 = word1 >> 16;
  const uint64_t duration = (word1 & 0xffff) | (word2 & 0xffff) << 16 | (word3 & 0xffff) << 32;
  RawSpan raw;
  raw.function = format::AddressOf(head);
  raw.flags = format::FlagsOf(head);
  raw.end = DateEnd((start48 + duration) & format::kMask48, ticks);
  raw.start = raw.end - std::min(raw.end, duration);
  raw.sequence = word2 >> 16;
  if (format::KindOf(head) == RecordKind::kSpanWithCaller) {
    raw.call_site = Load<uint64_t>(record + 32) >> 16;
  }
  if (duration == format::kMaxDuration) {
    const auto details = state.details.find(raw.sequence);
    if (details != state.details.end() && details->second.long_start().has_value()) {
      const uint64_t long_start = *details->second.long_start();
      raw.start = std::min(long_start, raw.end);
    }
  }

  state.last_end = std::max(state.last_end, raw.end);
  state.open.Close(raw.function, raw.start, raw.sequence);
  if ((raw.flags & format::kSpanAlone) != 0) {
    return Emit(raw, {TraceOfRoot(process_.info().secret, raw.sequence), SpanId(), false}, state,
                sink);
  }
  const Trace* root = state.traces.RootFor(raw.sequence, word3 >> 16);
  const SpanPlace place =
      root != nullptr ? PlaceOfRoot(*root) : PlaceOf(raw.sequence, word3 >> 16, state);
  if (root != nullptr) state.traces.EndRoot(raw.sequence);
  absl::Status status = Emit(raw, place, state, sink);
  // Details of spans whose own records were lost.
  if (root != nullptr && state.details.size() > kMostDetails) state.details.clear();
  return status;
}

SpanPlace SpanDecoder::Impl::PlaceOf(uint64_t sequence, uint64_t parent, const ThreadState& state) {
  const IdSecret& secret = process_.info().secret;
  const SpanId parent_id = parent != 0 ? MakeSpanId(SpanIdOf(secret, parent)) : SpanId();
  const Trace* trace = state.traces.current();
  if (trace != nullptr && parent != 0) return {trace->id, parent_id, false};
  // Only roots have no parent, and this one's kTraceBegin is missing.
  ++statistics_.without_trace;
  return {TraceOfRoot(secret, sequence), parent_id, false};
}

// ---- Spans -------------------------------------------------------------------------------------

absl::Status SpanDecoder::Impl::Emit(const RawSpan& raw, const SpanPlace& place, ThreadState& state,
                                     SpanSink& sink) {
  std::optional<SpanDetails> details;  // the span points into it while it is consumed
  if (!state.details.empty()) {
    if (auto found = state.details.find(raw.sequence); found != state.details.end()) {
      details = std::move(found->second);
      state.details.erase(found);
    }
  }
  const Span& span = assembler_.Assemble(
      raw, place, state.thread, details.has_value() ? &*details : nullptr, &state.exceptions);
  ++statistics_.spans;
  if (span.unfinished) ++statistics_.unfinished;
  statistics_.suppressed_pipeline_ids = assembler_.suppressed_pipeline_ids();
  return sink.Consume(span);
}

// ---- The end -----------------------------------------------------------------------------------

absl::Status SpanDecoder::Impl::End(SpanSink& sink) {
  process_.Refresh();
  statistics_.counters = process_.counters();
  for (auto& [index, state] : threads_) {
    if (absl::Status status = EmitOpenFrames(*state, sink); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SpanDecoder::Impl::EmitOpenFrames(ThreadState& state, SpanSink& sink) {
  const IdSecret& secret = process_.info().secret;
  const format::OpenFramesHeader& header = state.open.header();
  const uint64_t last_seen = std::max(header.ticks, state.last_end);
  std::optional<TraceId> trace;
  if ((header.trace_id[0] | header.trace_id[1]) != 0) trace = MakeTraceId(header.trace_id);
  SpanId parent;
  for (OpenFrames::Frame& open : state.open.frames()) {
    format::OpenFrame& frame = open.frame;
    const bool inherited = (format::FlagsOf(frame.head) & format::kSpanInherited) != 0;
    frame.sequence &= format::kMask48;
    if (frame.sequence == 0) {
      if (inherited) continue;
      frame.sequence = kSyntheticSequences | ++synthetic_sequences_;
    }
    SpanPlace place = {trace.value_or(TraceId()), parent, false};
    if (const Trace* root = state.traces.OpenRoot(frame.sequence); root != nullptr) {
      place = PlaceOfRoot(*root);
    } else if (!trace.has_value()) {
      place.trace_id = TraceOfRoot(secret, frame.sequence);
    }
    trace = place.trace_id;
    parent = MakeSpanId(SpanIdOf(secret, frame.sequence));
    if (inherited || open.closed) continue;
    RawSpan raw;
    raw.function = format::AddressOf(frame.head);
    raw.flags = format::FlagsOf(frame.head) | format::kSpanUnfinished;
    raw.start = std::min(frame.start, last_seen);
    raw.end = last_seen;
    raw.sequence = frame.sequence;
    raw.call_site = frame.call_site;
    if (absl::Status status = Emit(raw, place, state, sink); !status.ok()) return status;
  }
  state.open.frames().clear();
  return absl::OkStatus();
}

// ------------------------------------------------------------------------------------------------

SpanDecoder::SpanDecoder(DecodeOptions options) : impl_(std::make_unique<Impl>(options)) {}
SpanDecoder::~SpanDecoder() = default;
void SpanDecoder::Prescan(uint16_t kind, std::string_view payload) {
  impl_->Prescan(kind, payload);
}
absl::Status SpanDecoder::Block(uint16_t kind, std::string_view payload, SpanSink& sink) {
  return impl_->Block(kind, payload, sink);
}
absl::Status SpanDecoder::End(SpanSink& sink) { return impl_->End(sink); }
const Process& SpanDecoder::process() const { return impl_->process(); }
const DecodeStatistics& SpanDecoder::statistics() const { return impl_->statistics(); }

}  // namespace autotrace::exporter
