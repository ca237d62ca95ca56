#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "exporter/byte_order.h"
#include "exporter/records.h"
#include "exporter/span_decoder_impl.h"
#include "runtime/ids.h"

namespace autotrace::exporter {
namespace {

using format::BlockKind;
using format::RecordKind;

// More details than spans can reasonably be open in a thread when one of its traces ends.
constexpr size_t kMostDetails = 4096;

// The tick a span ended at, from its low 48 bits and a moment that it did not end after.
uint64_t DateEnd(uint64_t end48, uint64_t not_after) {
  const uint64_t age = (not_after - end48) & format::kMask48;
  return age <= not_after ? not_after - age : end48;
}

}  // namespace

// ---- Blocks ------------------------------------------------------------------------------------

void SpanDecoder::Impl::Prescan(uint16_t kind, std::string_view payload) {
  prescanned_ = true;
  // Damage is reported when the block is decoded.
  switch (static_cast<BlockKind>(kind)) {
    case BlockKind::kProcess:
      OnProcess(payload).IgnoreError();
      break;
    case BlockKind::kEnd:
      ended_ = true;
      break;
    case BlockKind::kClock:
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
    case BlockKind::kModule:
      addresses_.AddModule(payload).IgnoreError();
      break;
    default:
      break;
  }
}

absl::Status SpanDecoder::Impl::Block(uint16_t kind, std::string_view payload, SpanSink& sink) {
  switch (static_cast<BlockKind>(kind)) {
    case BlockKind::kProcess:
      return OnProcess(payload);
    case BlockKind::kEnd:
      ended_ = true;
      return absl::OkStatus();
    case BlockKind::kClock:
      return OnClock(payload);
    case BlockKind::kModule:
      return addresses_.AddModule(payload);
    case BlockKind::kFunctions:
      return addresses_.AddFunctions(payload);
    case BlockKind::kQuiet:
      return OnQuiet(payload);
    case BlockKind::kThread:
      // A thread has the last name that it was given, also where an earlier one stands here.
      return prescanned_ ? absl::OkStatus() : OnThread(payload);
    case BlockKind::kThreadEnd:
      return OnThreadEnd(payload, sink);
    case BlockKind::kThreadState:
      return OnThreadState(payload);
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
  if (payload.empty() || payload.size() % sizeof(format::ClockLine) != 0) {
    return absl::DataLossError("a clock block has a wrong size");
  }
  format::ClockLine line;
  while (Take(&payload, &line)) clock_.Add(line);
  return absl::OkStatus();
}

absl::Status SpanDecoder::Impl::OnQuiet(std::string_view payload) {
  if (payload.size() % sizeof(format::QuietEntry) != 0) {
    return absl::DataLossError("a block of quiet functions has a wrong size");
  }
  format::QuietEntry entry;
  while (Take(&payload, &entry)) {
    if (entry.calls == 0) {
      quiet_.erase(entry.address);
    } else {
      quiet_[entry.address] = entry.calls;
    }
  }
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
    state.thread = &state.names.emplace_back(Thread{entry.tid, entry.index, std::string(name)});
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
    state->thread = &state->names.emplace_back(Thread{0, thread_index, ""});
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
  // Said by a block before.
  if (type == format::ExtensionType::kModule) return absl::OkStatus();
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

// What was read of earlier segments says the same, if they were there.
absl::Status SpanDecoder::Impl::OnThreadState(std::string_view payload) {
  format::ThreadStateHeader header;
  if (!Take(&payload, &header)) return absl::DataLossError("a thread's state is too short");
  ThreadState& state = StateOf(header.thread_index);
  state.traces.Clear();
  absl::flat_hash_set<uint64_t> renewed;
  absl::Status damage;
  while (payload.size() >= sizeof(uint64_t)) {
    const char* record = payload.data();
    const auto head = Load<uint64_t>(record);
    const size_t size = RecordSize(head);
    if (size == 0 || size > payload.size()) {
      return absl::DataLossError("a thread's state holds something that is no record");
    }
    payload.remove_prefix(size);
    if (format::KindOf(head) == RecordKind::kTraceBegin) OnTraceBegin(record, state);
    if (format::KindOf(head) != RecordKind::kExtension) continue;
    const uint64_t sequence = Load<format::Extension>(record).sequence;
    if (renewed.insert(sequence).second) state.details.erase(sequence);
    damage.Update(OnExtension(record, head, state));
    if (sequence != 0) continue;
    // An exception whose first span has its record already.
    const auto described = state.details.find(0);
    if (described == state.details.end()) continue;
    if (described->second.exception().has_value()) {
      state.exceptions.Remember(*described->second.exception(), clock_, addresses_);
    }
    state.details.erase(described);
  }
  if ((header.flags & format::kHasCurrentTrace) == 0) state.traces.Interrupt();
  return damage;
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
  const uint64_t parent = word3 >> 16;
  const Trace* open_root = state.traces.RootFor(raw.sequence, parent);
  std::optional<Trace> root;
  if (open_root != nullptr) root = *open_root;
  const SpanPlace place =
      root.has_value() ? PlaceOfRoot(*root) : PlaceOf(raw.sequence, parent, state);
  if (root.has_value()) state.traces.EndRoot(raw.sequence);
  missing_.Saw(state.thread->index, raw.sequence, root.has_value() ? 0 : parent, place.trace_id,
               raw.start, raw.end, raw.call_site);
  absl::Status status = Emit(raw, place, state, sink);
  if (root.has_value()) missing_.SawRoot(root->id, root->root_sequence);
  // Details of spans whose own records were lost.
  if (root.has_value() && state.details.size() > kMostDetails) state.details.clear();
  return status;
}

SpanPlace SpanDecoder::Impl::PlaceOf(uint64_t sequence, uint64_t parent, const ThreadState& state) {
  const IdSecret& secret = process_.info().secret;
  const SpanId parent_id = parent != 0 ? MakeSpanId(SpanIdOf(secret, parent)) : SpanId();
  const Trace* trace = state.traces.current();
  if (trace != nullptr && parent != 0) return {trace->id, parent_id, false};
  // Only roots have no parent, and this one's kTraceBegin is missing. Its relatives are kept
  // together all the same, in the trace that the first of them came to stand in.
  ++statistics_.without_trace;
  for (const uint64_t relative : {sequence, parent}) {
    const TraceId* known = missing_.TraceOf(relative);
    if (known != nullptr) return {*known, parent_id, false};
  }
  return {TraceOfRoot(secret, parent != 0 ? parent : sequence), parent_id, false};
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
  if (!span.placeholder) ++statistics_.spans;
  if (span.unfinished) ++statistics_.unfinished;
  statistics_.suppressed_pipeline_ids = assembler_.suppressed_pipeline_ids();
  return sink.Consume(span);
}

// ------------------------------------------------------------------------------------------------

SpanDecoder::SpanDecoder(DecodeOptions options) : impl_(std::make_unique<Impl>(options)) {}
SpanDecoder::~SpanDecoder() = default;
void SpanDecoder::Prescan(uint16_t kind, std::string_view payload) {
  impl_->Prescan(kind, payload);
}
void SpanDecoder::VisitFunctions(
    const std::function<void(const Function&, std::string_view linker_name)>& visit) const {
  for (const AddressSpace::FunctionRecord& record : impl_->addresses().functions()) {
    visit(record.function, record.linker_name);
  }
}
uint64_t SpanDecoder::left_out_below() const {
  const filters::Config& config = impl_->config();
  if (config.max_depth != 0) return std::numeric_limits<uint64_t>::max();
  uint64_t longest = config.min_duration;
  for (const auto& [pattern, duration] : config.min_duration_for) {
    longest = std::max(longest, duration);
  }
  return longest;
}
void SpanDecoder::PrescanOpenFrames(std::string_view payload) { impl_->PrescanOpenFrames(payload); }
absl::Status SpanDecoder::Block(uint16_t kind, std::string_view payload, SpanSink& sink) {
  return impl_->Block(kind, payload, sink);
}
absl::Status SpanDecoder::End(SpanSink& sink) { return impl_->End(sink); }
const Process& SpanDecoder::process() const { return impl_->process(); }
const DecodeStatistics& SpanDecoder::statistics() const { return impl_->statistics(); }

}  // namespace autotrace::exporter
