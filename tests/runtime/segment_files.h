// Segment files read back: blocks, and the spans in them.
#ifndef AUTOTRACE_TESTS_RUNTIME_SEGMENT_FILES_H_
#define AUTOTRACE_TESTS_RUNTIME_SEGMENT_FILES_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "recorded_spans.h"
#include "runtime/block_sink.h"
#include "runtime/trace_format.h"

namespace autotrace::test {

struct StoredBlock {
  format::BlockKind kind;
  std::string payload;
};

struct StoredSegment {
  format::SegmentHeader header;
  uint64_t bytes;
  std::vector<StoredBlock> blocks;
};

// All segments in a folder, by name. Fails the test unless each has its header and nothing but
// whole blocks with the right checksum. Without Catch2 macros, for child processes:
// ReadSegmentsQuietly returns false instead.
std::vector<StoredSegment> ReadSegments(const std::string& folder);
bool ReadSegmentsQuietly(const std::string& folder, std::vector<StoredSegment>* segments);

// The blocks of all segments, without those that a segment repeats.
std::vector<StoredBlock> AllBlocks(const std::vector<StoredSegment>& segments);

// The spans in kRecords blocks. Fails the test unless each thread's records come in the order in
// which they were written, each once.
RecordedSpans SpansIn(const std::vector<StoredBlock>& blocks);

// Keeps what it is given.
class MemorySink final : public BlockSink {
 public:
  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override {
    if (refuses) return false;
    blocks.push_back({kind, std::string(head) + std::string(body)});
    span_count += spans;
    return true;
  }
  bool Flush(uint64_t) override { return true; }
  void Close(uint64_t) override {}

  size_t Count(format::BlockKind kind) const {
    size_t count = 0;
    for (const StoredBlock& block : blocks) count += block.kind == kind;
    return count;
  }

  bool refuses = false;
  uint64_t span_count = 0;  // as the caller said
  std::vector<StoredBlock> blocks;
};

}  // namespace autotrace::test

#endif  // AUTOTRACE_TESTS_RUNTIME_SEGMENT_FILES_H_
