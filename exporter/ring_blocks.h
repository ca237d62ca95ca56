// What a ring holds beyond what a process's segments hold, as blocks: for the reader, which decodes
// them, and for recovery, which writes them down.
#ifndef AUTOTRACE_EXPORTER_RING_BLOCKS_H_
#define AUTOTRACE_EXPORTER_RING_BLOCKS_H_

#include <stdint.h>

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "exporter/ring_snapshot.h"

namespace autotrace::exporter {

// Which parts of a ring's chunks stand in segments. Chunks that are not in the ring any more are
// not kept account of.
class Coverage {
 public:
  explicit Coverage(const RingSnapshot& ring);

  // A kRecords block of a segment.
  void Add(std::string_view payload);

  using Range = std::pair<uint32_t, uint32_t>;  // [begin, end) of the chunk's data
  // The ranges of whole records in this chunk that no segment holds, in order.
  std::vector<Range> Missing(const RingChunk& chunk) const;

 private:
  absl::flat_hash_map<uint64_t, std::vector<Range>> covered_;  // by thread and chunk sequence
};

using BlockVisitor = std::function<void(uint16_t kind, std::string_view payload)>;

// Blocks that tell what records mean: the metadata area, the modules, the counters, the open
// frames. Parts that are damaged are left out; returns false when there were any.
bool VisitRingMetadata(const RingSnapshot& ring, const BlockVisitor& visit);
// kRecords blocks of what is not covered, each thread's in order.
void VisitRingRecords(const RingSnapshot& ring, const Coverage& coverage,
                      const BlockVisitor& visit);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RING_BLOCKS_H_
