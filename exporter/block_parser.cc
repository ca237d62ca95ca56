#include "exporter/block_parser.h"

#include <string.h>

#include <algorithm>

#include "exporter/byte_order.h"
#include "runtime/block_stream.h"

namespace autotrace::exporter {
namespace {

constexpr size_t kHeaderSize = sizeof(format::BlockHeader);
constexpr size_t kReadAhead = size_t{1} << 20;
// A stream made of headers only would otherwise have each of them checksum megabytes.
constexpr uint64_t kChecksumBudget = uint64_t{256} << 20;

}  // namespace

BlockParser::BlockParser(std::string_view bytes)
    : window_(bytes), end_(bytes.size()), checksum_budget_(kChecksumBudget + 4 * bytes.size()) {}

BlockParser::BlockParser(ByteSource* source, uint64_t begin, uint64_t end)
    : source_(source),
      window_start_(begin),
      position_(begin),
      end_(std::max(begin, end)),
      checksum_budget_(kChecksumBudget + 4 * (end_ - begin)),
      last_block_end_(begin) {}

bool BlockParser::Next(Block* block) {
  const uint64_t start = position_;
  bool skipping = false;
  bool cut_off = false;  // at `start`
  while (position_ < end_) {
    const Verdict verdict = Examine(block);
    if (verdict == Verdict::kGood) {
      if (skipping) AddDamage(start, block->offset - start);
      position_ = std::min(block->end, end_);
      last_block_end_ = position_;
      return true;
    }
    if (!skipping) cut_off = verdict == Verdict::kCutOff;
    skipping = true;
    position_ += 8;
    SkipToMagic();
  }
  position_ = end_;
  // A file that shrank may have ended before `start`.
  const uint64_t rest = end_ > start ? end_ - start : 0;
  if (cut_off) {
    truncated_bytes_ = rest;
  } else if (rest > 0) {
    AddDamage(start, rest);
  }
  return false;
}

// Is there a block at position_?
BlockParser::Verdict BlockParser::Examine(Block* block) {
  if (Want(kHeaderSize) < kHeaderSize) return Verdict::kCutOff;
  const auto header = Load<format::BlockHeader>(here());
  if (header.magic != format::kBlockMagic || header.size > format::kMaxBlockSize) {
    return Verdict::kBad;
  }
  const size_t size = kHeaderSize + header.size;
  // The last block's padding may be missing.
  if (Want(kHeaderSize + PadTo8(header.size)) < size) return Verdict::kCutOff;
  const std::string_view payload(here() + kHeaderSize, header.size);
  if (checksum_budget_ < header.size) return Verdict::kBad;
  if (Crc32c(payload.data(), payload.size()) != header.crc32c) {
    checksum_budget_ -= header.size;
    return Verdict::kBad;
  }
  *block = {header.kind, header.crc32c, payload, position_,
            position_ + kHeaderSize + PadTo8(header.size)};
  return Verdict::kGood;
}

// Makes [position_, position_ + size) readable as far as the stream goes; returns how much of it
// is.
size_t BlockParser::Want(size_t size) {
  const uint64_t window_end = window_start_ + window_.size();
  const uint64_t wanted = std::min<uint64_t>(size, end_ > position_ ? end_ - position_ : 0);
  if (position_ + wanted <= window_end) return wanted;
  if (source_ == nullptr) return window_end > position_ ? window_end - position_ : 0;

  const size_t kept = window_end > position_ ? window_end - position_ : 0;
  if (kept > 0) memmove(buffer_.data(), here(), kept);
  const size_t target = std::min<uint64_t>(wanted + kReadAhead, end_ - position_);
  buffer_.resize(target);
  const size_t got =
      source_->ReadAt(position_ + kept, buffer_.data() + kept, wanted - kept, target - kept);
  buffer_.resize(kept + got);
  if (kept + got < wanted) end_ = position_ + kept + got;
  window_ = buffer_;
  window_start_ = position_;
  return std::min<size_t>(wanted, window_.size());
}

// Moves to the next place in the window that looks like the start of a block, or to its end.
void BlockParser::SkipToMagic() {
  const uint64_t window_end = window_start_ + window_.size();
  while (position_ + kHeaderSize <= window_end && Load<uint32_t>(here()) != format::kBlockMagic) {
    position_ += 8;
  }
}

void BlockParser::AddDamage(uint64_t offset, uint64_t size) {
  if (damage_.size() < kMaxDamage) {
    damage_.push_back({offset, size});
  } else {
    damage_.back().size += size;
  }
}

}  // namespace autotrace::exporter
