#include "exporter/pack_cuts.h"

#include <algorithm>

#include "exporter/byte_order.h"
#include "runtime/block_stream.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {
namespace {

// The blocks in the last kEndBytes leave a frame that is larger than kWorthCutting without them.
constexpr uint64_t kEndBytes = uint64_t{4} << 10;
constexpr uint64_t kWorthCutting = uint64_t{1} << 20;
// Bytes that are no blocks (damage) are looked through in steps of 8, as readers do.
constexpr size_t kBlockAlignment = 8;

// Of the block that begins here, padding included; 0: there is none, or not all of it.
size_t WholeBlock(std::string_view bytes) {
  format::BlockHeader header;
  if (!Take(&bytes, &header) || header.magic != format::kBlockMagic ||
      header.size > format::kMaxBlockSize || PadTo8(header.size) > bytes.size()) {
    return 0;
  }
  return sizeof(header) + PadTo8(header.size);
}

bool IsRecords(std::string_view bytes) {
  return Load<format::BlockHeader>(bytes.data()).kind ==
         static_cast<uint16_t>(format::BlockKind::kRecords);
}

// The segment's header and what it says before the first records.
size_t CutBeginning(std::string_view bytes) {
  size_t end = std::min(bytes.size(), sizeof(format::SegmentHeader));
  while (end < bytes.size()) {
    const size_t block = WholeBlock(bytes.substr(end));
    if (block == 0 || IsRecords(bytes.substr(end))) break;
    end += block;
  }
  return end;
}

// Up to where a block may begin again.
size_t CutDamage(std::string_view bytes) {
  size_t end = std::min(bytes.size(), kBlockAlignment);
  while (end < bytes.size() && WholeBlock(bytes.substr(end)) == 0) {
    end = std::min(bytes.size(), end + kBlockAlignment);
  }
  return end;
}

}  // namespace

size_t CutSegment(std::string_view bytes, uint64_t offset, uint64_t size) {
  if (offset == 0) return CutBeginning(bytes);
  size_t end = 0;
  while (end < bytes.size()) {
    const size_t block = WholeBlock(bytes.substr(end));
    if (block == 0) break;
    const bool is_end = offset + end + block + kEndBytes > size;
    if (is_end && end > kWorthCutting) break;
    end += block;
  }
  return end != 0 ? end : CutDamage(bytes);
}

}  // namespace autotrace::exporter
