// What is left when no more records come: spans that were open, and parents whose records never
// came.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "exporter/byte_order.h"
#include "exporter/span_decoder_impl.h"
#include "runtime/ids.h"

namespace autotrace::exporter {
namespace {

// Sequences of open frames that were never given one. Recorders count up from 1 and do not get
// here.
constexpr uint64_t kSyntheticSequences = uint64_t{1} << 47;

}  // namespace

absl::Status SpanDecoder::Impl::End(SpanSink& sink) {
  process_.Refresh();
  statistics_.counters = process_.counters();
  NameQuiet();
  for (auto& [index, state] : threads_) {
    if (absl::Status status = EndThread(*state, sink); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Only functions of modules that last fall quiet: any time is one at which they are there.
void SpanDecoder::Impl::NameQuiet() {
  statistics_.quiet.clear();
  for (const auto& [address, calls] : quiet_) {
    const AddressSpace::FunctionRecord* record =
        addresses_.FunctionAt(address, std::numeric_limits<uint64_t>::max());
    statistics_.quiet.push_back({record->function.name, calls});
  }
}

absl::Status SpanDecoder::Impl::OnThreadEnd(std::string_view payload, SpanSink& sink) {
  if (prescanned_) return absl::OkStatus();  // a file has an end, and its spans may be asked for
  uint32_t index = 0;
  while (Take(&payload, &index)) {
    const auto state = threads_.find(index);
    if (state == threads_.end()) continue;
    std::vector<MissingParents::Parent> missing = missing_.Take(index);
    if (!HasDropped()) missing.clear();
    absl::Status status = StandIn(missing, Missing::kDropped, {}, *state->second, sink);
    threads_.erase(state);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool SpanDecoder::Impl::HasDropped() const {
  uint64_t dropped = 0;
  for (const format::Counter cause :
       {format::Counter::kDroppedRingFull, format::Counter::kDroppedDisk,
        format::Counter::kDroppedDiskCap}) {
    dropped += process_.counters()[static_cast<size_t>(cause)];
  }
  return dropped > 0;
}

absl::Status SpanDecoder::Impl::EndThread(ThreadState& state, SpanSink& sink) {
  MatchOpenFrames(state);
  std::vector<Enclosing> open;
  if (absl::Status status = EmitOpenFrames(state, &open, sink); !status.ok()) return status;
  std::vector<MissingParents::Parent> missing = missing_.Take(state.thread->index);
  // What ended in an orderly way and dropped nothing has all its parents.
  if (ended_ && !HasDropped()) missing.clear();
  const Missing why = ended_ ? Missing::kDropped : Missing::kOpen;
  absl::Status status = StandIn(missing, why, std::move(open), state, sink);
  state.open.frames().clear();
  if (!status.ok() || ended_) return status;
  // Roots that had begun and were not seen open, because the process died too soon. Where records
  // were dropped an earlier root's may be among them, so only the latest one is sure to be open.
  for (const Trace& root : state.traces.OpenRoots()) {
    const Trace* current = state.traces.current();
    const bool is_current = current != nullptr && current->root_sequence == root.root_sequence;
    if (HasDropped() && !is_current) continue;
    const uint64_t last_seen = std::max({state.open.header().ticks, state.last_end, root.start});
    status = EmitMissingRoot(root, why, last_seen, state, sink);
    if (!status.ok()) return status;
  }
  return status;
}

absl::Status SpanDecoder::Impl::EmitOpenFrames(ThreadState& state, std::vector<Enclosing>* emitted,
                                               SpanSink& sink) {
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
      state.traces.EndRoot(frame.sequence);
    } else if (!trace.has_value()) {
      place.trace_id = TraceOfRoot(secret, frame.sequence);
    }
    trace = place.trace_id;
    parent = MakeSpanId(SpanIdOf(secret, frame.sequence));
    if (inherited || open.closed) continue;
    emitted->push_back({parent, *trace, frame.start});
    RawSpan raw;
    raw.function = format::AddressOf(frame.head);
    raw.flags = format::FlagsOf(frame.head) | format::kSpanUnfinished;
    raw.start = std::min(frame.start, last_seen);
    raw.end = last_seen;
    raw.sequence = frame.sequence;
    raw.call_site = frame.call_site;
    if (absl::Status status = Emit(raw, place, state, sink); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// ---- Parents without a record ------------------------------------------------------------------

// Frames that had no sequence yet when they were copied are the parents that their children name.
// The call site tells which.
void SpanDecoder::Impl::MatchOpenFrames(ThreadState& state) {
  std::vector<OpenFrames::Frame>& frames = state.open.frames();
  const auto calls_from = [&](const MissingParents::Parent& parent,
                              const format::OpenFrame& frame) {
    const uint64_t function = format::AddressOf(frame.head);
    const CallSite* call_site = addresses_.CallSiteAt(parent.call_site, parent.start);
    return function != 0 && call_site != nullptr &&
           call_site->description.starts_with(
               addresses_.FunctionAt(function, frame.start)->function.name);
  };
  missing_.RemoveFound([&](const MissingParents::Parent& parent) {
    if (parent.thread_index != state.thread->index) return false;
    return std::any_of(frames.begin(), frames.end(), [&](const OpenFrames::Frame& open) {
      return (open.frame.sequence & format::kMask48) == parent.sequence;
    });
  });
  missing_.RemoveFound([&](const MissingParents::Parent& parent) {
    if (parent.thread_index != state.thread->index) return false;
    for (auto open = frames.rbegin(); open != frames.rend(); ++open) {
      format::OpenFrame& frame = open->frame;
      if (open->closed || frame.sequence != 0 || frame.start > parent.start) continue;
      if (!calls_from(parent, frame)) continue;
      frame.sequence = parent.sequence;
      return true;
    }
    return false;
  });
}

// `missing`: outer ones first. `enclosing`: spans that are there and may be their parents, outer
// ones first.
absl::Status SpanDecoder::Impl::StandIn(const std::vector<MissingParents::Parent>& missing,
                                        Missing why, std::vector<Enclosing> enclosing,
                                        ThreadState& state, SpanSink& sink) {
  const IdSecret& secret = process_.info().secret;
  const uint64_t last_seen = std::max(state.open.header().ticks, state.last_end);
  // When a dropped one ended is not known: after its children. A trace's root holds all of them.
  absl::flat_hash_map<TraceId, uint64_t> trace_end;
  for (const MissingParents::Parent& parent : missing) {
    trace_end[parent.trace] = std::max(trace_end[parent.trace], parent.end);
  }
  for (const MissingParents::Parent& parent : missing) {
    const uint64_t root_end = why == Missing::kOpen ? last_seen : trace_end[parent.trace];
    const auto innermost = [&] {
      return std::find_if(enclosing.rbegin(), enclosing.rend(), [&](const Enclosing& outer) {
        return outer.trace == parent.trace && outer.start <= parent.start;
      });
    };
    auto outer = innermost();
    if (outer == enclosing.rend() && parent.root_sequence != 0) {
      // All that is known of where it stood: in this trace. Its root encloses it.
      enclosing.push_back({MakeSpanId(SpanIdOf(secret, parent.root_sequence)), parent.trace, 0});
      outer = innermost();
    } else if (outer == enclosing.rend()) {
      if (const Trace* open_root = state.traces.OpenRootOf(parent.trace); open_root != nullptr) {
        const Trace root = *open_root;
        state.traces.EndRoot(root.root_sequence);
        absl::Status status = EmitMissingRoot(root, why, root_end, state, sink);
        if (!status.ok()) return status;
        enclosing.push_back(
            {MakeSpanId(SpanIdOf(secret, root.root_sequence)), root.id, root.start});
        if (root.root_sequence == parent.sequence) continue;
        outer = innermost();
      }
    }
    const bool is_root = outer == enclosing.rend();
    const SpanPlace place = {parent.trace, is_root ? SpanId() : outer->span, false};
    // Those that were open lie inside of one another. Of those that were dropped nobody knows.
    if (is_root || why == Missing::kOpen) {
      enclosing.push_back(
          {MakeSpanId(SpanIdOf(secret, parent.sequence)), parent.trace, parent.start});
    }
    const uint64_t end = is_root || why == Missing::kOpen ? root_end : parent.end;
    absl::Status status = EmitPlaceholder(parent, why, place, end, state, sink);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SpanDecoder::Impl::EmitMissingRoot(const Trace& root, Missing why, uint64_t end,
                                                ThreadState& state, SpanSink& sink) {
  RawSpan raw;
  raw.function = root.function;
  raw.flags = root.function == 0 ? format::kSpanManual : 0;
  if (why == Missing::kOpen) raw.flags |= format::kSpanUnfinished;
  raw.placeholder = why == Missing::kDropped;
  raw.start = root.start;
  raw.end = std::max(end, root.start);
  raw.sequence = root.root_sequence;
  raw.call_site = root.call_site;
  return Emit(raw, PlaceOfRoot(root), state, sink);
}

absl::Status SpanDecoder::Impl::EmitPlaceholder(const MissingParents::Parent& parent, Missing why,
                                                const SpanPlace& place, uint64_t end,
                                                ThreadState& state, SpanSink& sink) {
  RawSpan raw;
  raw.flags = why == Missing::kOpen ? format::kSpanUnfinished : 0;
  raw.placeholder = true;
  raw.start = parent.start;
  raw.end = std::max(end, parent.start);
  raw.sequence = parent.sequence;
  return Emit(raw, place, state, sink);
}

}  // namespace autotrace::exporter
