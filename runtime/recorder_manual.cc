// A recorder's manual spans.
#include <string.h>

#include <algorithm>

#include "runtime/recorder.h"

namespace autotrace {

uint64_t Recorder::BeginManual(std::string_view name, uint64_t frame_address) {
  if (shared_->paused.load(std::memory_order_relaxed)) return 0;
  if (!EnterStackOf(frame_address, 0)) return 0;
  // Only what lies strictly below: the function that this is inlined into has the same address.
  PruneDeadFrames(0, frame_address - 1, format::kSpanMissedExit);
  const bool is_first = top_ == first_segment()->first();
  if (interrupted_ != nullptr && is_first) outer_.Store(interrupted_->ParentOfHandler(this));
  if (hidden_subtree_ != nullptr) return 0;
  if (overflow_ > 0 || (top_ >= segment_->limit() && !MoreStack())) {
    shared_->ring.Count(format::Counter::kDroppedNoMemory);
    return 0;
  }
  // No address: no exit hook ends it. It dies with the call that it was begun in: its own address
  // proves nothing, since it may have been begun in a helper that has returned.
  constexpr uint16_t kBits = decision::kKnown | decision::kRecord | decision::kManual;
  PushFrame(FunctionWord(0, kBits), 0, is_first ? here_.high - 1 : top_[-1].frame_address);
  Frame* frame = top_ - 1;
  if (root_ == nullptr) BeginTrace();
  SetSequence(frame);
  const uint64_t sequence = frame->sequence;
  WriteExtension(format::ExtensionType::kName, sequence,
                 {name.substr(0, shared_->ring.chunk_data_bytes() / 2)});
  return sequence;
}

bool Recorder::IsOpen(uint64_t sequence) const {
  for (Frame* frame = Below(top_); frame != nullptr; frame = Below(frame)) {
    if (frame->sequence == sequence && frame->has(decision::kManual)) return true;
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
    if (frame->sequence == sequence && frame->has(decision::kManual)) {
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
                   {{reinterpret_cast<const char*>(&header), sizeof(header)}, key, {rest, part}});
    rest += part;
    value_size -= part;
    if (value_size == 0) return;
  }
}
}  // namespace autotrace
