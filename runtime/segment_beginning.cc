#include "runtime/segment_beginning.h"

#include <string.h>

#include "runtime/block_stream.h"

namespace autotrace {
namespace {

using format::BlockKind;

template <typename T>
bool TakeFront(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  memcpy(value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return true;
}

}  // namespace

bool SegmentBeginning::Remember(BlockKind kind, std::string_view head, std::string_view body) {
  std::string payload(head);
  payload.append(body);
  uint32_t thread = 0;
  switch (kind) {
    case BlockKind::kProcess:
    case BlockKind::kFunctions:
    case BlockKind::kQuiet:
      AppendBlock(&process_and_functions_, kind, payload);
      return true;
    case BlockKind::kModule:
      modules_.Add(payload);
      return true;
    case BlockKind::kThread: {
      std::string_view rest = payload;
      if (!TakeFront(&rest, &thread)) return false;
      std::string& block = threads_[thread];
      block.clear();
      AppendBlock(&block, kind, payload);
      return true;
    }
    case BlockKind::kThreadEnd:
      for (std::string_view rest = payload; TakeFront(&rest, &thread);) {
        threads_.erase(thread);
        states_.Forget(thread);
      }
      return false;
    case BlockKind::kClock:
      AddClock(payload);
      return false;
    default:
      return false;
  }
}

void SegmentBeginning::RememberRecords(std::string_view head, std::string_view body) {
  format::RecordsHeader header;
  if (TakeFront(&head, &header)) states_.Add(header.thread_index, body);
}

void SegmentBeginning::AddClock(std::string_view payload) {
  for (format::ClockLine line; TakeFront(&payload, &line);) {
    if (lines_.empty() || line.ticks > lines_.back().ticks) lines_.push_back(line);
  }
  if (lines_.size() > kMostLines) JoinLines();
}

// The older half's lines by twos: moves times of long ago by less than a microsecond.
void SegmentBeginning::JoinLines() {
  const size_t older = lines_.size() / 2;
  std::deque<format::ClockLine> kept;
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (i < older && i % 2 == 1) continue;
    format::ClockLine line = lines_[i];
    if (i + 1 < older) {
      line.rise = lines_[i + 2].unix_nanos - line.unix_nanos;
      line.run = lines_[i + 2].ticks - line.ticks;
    }
    kept.push_back(line);
  }
  lines_.swap(kept);
}

void SegmentBeginning::ForgetClockBefore(uint64_t ticks) {
  while (lines_.size() > 1 && lines_[1].ticks <= ticks) lines_.pop_front();
}

std::string SegmentBeginning::ModuleBlocks() const {
  std::string blocks;
  modules_.ForEach(
      [&](std::string_view payload) { AppendBlock(&blocks, BlockKind::kModule, payload); });
  return blocks;
}

std::string SegmentBeginning::Blocks() const {
  std::string blocks = process_and_functions_ + ModuleBlocks();
  for (const auto& [index, block] : threads_) blocks += block;
  // Before what is open, because that is dated by it.
  if (!lines_.empty()) {
    std::string payload;
    for (const format::ClockLine& line : lines_) AppendStruct(&payload, line);
    AppendBlock(&blocks, BlockKind::kClock, payload);
  }
  states_.AppendBlocks(&blocks);
  return blocks;
}

}  // namespace autotrace
