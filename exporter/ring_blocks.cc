#include "exporter/ring_blocks.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "exporter/block_parser.h"
#include "exporter/byte_order.h"
#include "exporter/records.h"
#include "runtime/block_stream.h"

namespace autotrace::exporter {
namespace {

using format::BlockKind;

uint64_t ChunkKey(uint32_t thread_index, uint32_t chunk_sequence) {
  return uint64_t{thread_index} << 32 | chunk_sequence;
}

bool VisitStream(std::string_view stream, const BlockVisitor& visit) {
  BlockParser parser(stream);
  for (Block block; parser.Next(&block);) visit(block.kind, block.payload);
  return parser.damage().empty() && parser.truncated_bytes() == 0;
}

void VisitRange(const RingChunk& chunk, Coverage::Range range, const BlockVisitor& visit) {
  std::string payload;
  AppendStruct(&payload, format::RecordsHeader{chunk.thread_index, chunk.chunk_sequence,
                                               range.first, 0, chunk.not_after});
  payload.append(chunk.records, range.first, range.second - range.first);
  visit(static_cast<uint16_t>(BlockKind::kRecords), payload);
}

// The last kTraceBegin in [0, end) of the chunk, unless its root ended there: then what follows is
// of no trace that had begun.
std::optional<Coverage::Range> LastTraceBegin(const RingChunk& chunk, uint32_t end) {
  std::optional<Coverage::Range> last;
  uint64_t root = 0;
  for (uint32_t offset = 0; offset < end;) {
    const char* record = chunk.records.data() + offset;
    const auto head = Load<uint64_t>(record);
    const auto size = static_cast<uint32_t>(RecordSize(head));
    if (format::KindOf(head) == format::RecordKind::kTraceBegin) {
      last = {offset, offset + size};
      root = Load<format::TraceBegin>(record).root_sequence;
    } else if (IsSpan(head) && last.has_value() && Load<uint64_t>(record + 16) >> 16 == root) {
      last.reset();
    }
    offset += size;
  }
  return last;
}

}  // namespace

Coverage::Coverage(const RingSnapshot& ring) {
  for (const RingChunk& chunk : ring.chunks) {
    covered_[ChunkKey(chunk.thread_index, chunk.chunk_sequence)];
  }
}

void Coverage::Add(std::string_view payload) {
  format::RecordsHeader header;
  if (!Take(&payload, &header)) return;
  const auto known = covered_.find(ChunkKey(header.thread_index, header.chunk_sequence));
  if (known == covered_.end()) return;
  const uint64_t end = std::min<uint64_t>(uint64_t{header.chunk_offset} + payload.size(),
                                          std::numeric_limits<uint32_t>::max());
  std::vector<Range>& ranges = known->second;
  // Nearly always goes on where the last one ended.
  if (!ranges.empty() && ranges.back().second == header.chunk_offset) {
    ranges.back().second = static_cast<uint32_t>(end);
  } else if (end > header.chunk_offset) {
    ranges.emplace_back(header.chunk_offset, static_cast<uint32_t>(end));
  }
}

std::vector<Coverage::Range> Coverage::Missing(const RingChunk& chunk) const {
  std::vector<Range> covered;
  if (const auto known = covered_.find(ChunkKey(chunk.thread_index, chunk.chunk_sequence));
      known != covered_.end()) {
    covered = known->second;
  }
  std::sort(covered.begin(), covered.end());
  std::vector<Range> missing;
  auto next = covered.begin();
  uint32_t covered_to = 0;
  for (uint32_t offset = 0; offset < chunk.records.size();) {
    const auto size =
        static_cast<uint32_t>(RecordSize(Load<uint64_t>(chunk.records.data() + offset)));
    for (; next != covered.end() && next->first <= offset; ++next) {
      covered_to = std::max(covered_to, next->second);
    }
    if (offset >= covered_to) {
      if (!missing.empty() && missing.back().second == offset) {
        missing.back().second = offset + size;
      } else {
        missing.emplace_back(offset, offset + size);
      }
    }
    offset += size;
  }
  return missing;
}

bool VisitRingMetadata(const RingSnapshot& ring, const BlockVisitor& visit) {
  bool whole = VisitStream(ring.metadata, visit);
  for (const std::string& module : ring.modules) {
    visit(static_cast<uint16_t>(BlockKind::kModule), module);
  }
  // A program that was killed early left no kThread block.
  for (const RingChunk& chunk : ring.chunks) {
    std::string thread;
    AppendStruct(&thread, format::ThreadEntry{chunk.thread_index, 0, chunk.tid});
    visit(static_cast<uint16_t>(BlockKind::kThread), thread);
  }
  std::string counters;
  for (uint32_t i = 0; i < ring.counters.size(); ++i) {
    AppendStruct(&counters, format::CounterEntry{i, 0, ring.counters[i]});
  }
  visit(static_cast<uint16_t>(BlockKind::kCounters), counters);
  whole = VisitStream(ring.open_frames, visit) && whole;
  return whole;
}

void VisitRingRecords(const RingSnapshot& ring, const Coverage& coverage,
                      const BlockVisitor& visit) {
  for (const RingChunk& chunk : ring.chunks) {
    for (const Coverage::Range& range : coverage.Missing(chunk)) {
      // A chunk's head says which trace goes on there. Where what came before is known already, but
      // may have been lost, it is said again.
      const std::optional<Coverage::Range> begin = LastTraceBegin(chunk, range.first);
      if (begin.has_value()) VisitRange(chunk, *begin, visit);
      VisitRange(chunk, range, visit);
    }
  }
}

}  // namespace autotrace::exporter
