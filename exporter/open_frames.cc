#include "exporter/open_frames.h"

#include <algorithm>

#include "exporter/byte_order.h"

namespace autotrace::exporter {
namespace {

// Frames that began at the same tick; more than a few only in data that no recorder wrote.
constexpr int kMostAtOneTick = 64;

}  // namespace

absl::Status OpenFrames::Replace(const format::OpenFramesHeader& header, std::string_view frames) {
  if (frames.size() / sizeof(format::OpenFrame) < header.count) {
    return absl::DataLossError("a block of open frames is too short");
  }
  if (is_set_ && header.ticks <= header_.ticks) return absl::OkStatus();
  is_set_ = true;
  header_ = header;
  frames_.clear();
  latest_start_ = 0;
  for (uint32_t i = 0; i < header.count; ++i) {
    Frame& added = frames_.emplace_back();
    Take(&frames, &added.frame);
    latest_start_ = std::max(latest_start_, added.frame.start);
  }
  return absl::OkStatus();
}

OpenFrames::Frame* OpenFrames::Find(uint64_t function, uint64_t start, uint64_t sequence) {
  // Outermost first is earliest first.
  auto frame = std::lower_bound(
      frames_.begin(), frames_.end(), start,
      [](const Frame& candidate, uint64_t value) { return candidate.frame.start < value; });
  for (int i = 0; i < kMostAtOneTick && frame != frames_.end() && frame->frame.start == start;
       ++i, ++frame) {
    const bool same = frame->frame.sequence != 0 ? frame->frame.sequence == sequence
                                                 : format::AddressOf(frame->frame.head) == function;
    if (same && !frame->closed) return &*frame;
  }
  return nullptr;
}

void OpenFrames::CloseFrame(uint64_t function, uint64_t start, uint64_t sequence) {
  Frame* frame = Find(function, start, sequence);
  if (frame == nullptr) return;
  frame->closed = true;
  frame->frame.sequence = sequence;
}

void OpenFrames::Identify(uint64_t function, uint64_t start, uint64_t sequence) {
  if (start > latest_start_) return;
  Frame* frame = Find(function, start, sequence);
  if (frame != nullptr) frame->frame.sequence = sequence;
}

}  // namespace autotrace::exporter
