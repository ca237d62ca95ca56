#include "segment_files.h"

#include <string.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "exporter/block_parser.h"

namespace autotrace::test {
namespace {

bool ReadSegment(const std::string& path, StoredSegment* segment) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  segment->bytes = bytes.size();
  if (bytes.size() < sizeof(segment->header)) return false;
  memcpy(&segment->header, bytes.data(), sizeof(segment->header));
  if (memcmp(segment->header.magic, format::kSegmentMagic, sizeof(format::kSegmentMagic)) != 0) {
    return false;
  }
  exporter::BlockParser parser(std::string_view(bytes).substr(sizeof(segment->header)));
  exporter::Block block;
  while (parser.Next(&block)) {
    segment->blocks.push_back(
        {static_cast<format::BlockKind>(block.kind), std::string(block.payload)});
  }
  return parser.damage().empty() && parser.truncated_bytes() == 0;
}

}  // namespace

bool ReadSegmentsQuietly(const std::string& folder, std::vector<StoredSegment>* segments) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".seg") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    segments->emplace_back();
    if (!ReadSegment(path, &segments->back())) return false;
  }
  return true;
}

std::vector<StoredSegment> ReadSegments(const std::string& folder) {
  std::vector<StoredSegment> segments;
  REQUIRE(ReadSegmentsQuietly(folder, &segments));
  return segments;
}

std::vector<StoredBlock> AllBlocks(const std::vector<StoredSegment>& segments) {
  std::vector<StoredBlock> blocks;
  std::set<std::pair<format::BlockKind, std::string>> seen;
  for (const StoredSegment& segment : segments) {
    for (const StoredBlock& block : segment.blocks) {
      const bool may_repeat =
          block.kind == format::BlockKind::kProcess || block.kind == format::BlockKind::kModule ||
          block.kind == format::BlockKind::kFunctions || block.kind == format::BlockKind::kThread;
      if (may_repeat && !seen.emplace(block.kind, block.payload).second) continue;
      blocks.push_back(block);
    }
  }
  return blocks;
}

RecordedSpans SpansIn(const std::vector<StoredBlock>& blocks) {
  struct Position {
    uint32_t chunk_sequence = 0;
    uint64_t offset = 0;
  };
  std::map<uint32_t, Position> positions;  // by thread
  RecordedSpans recorded;
  for (const StoredBlock& block : blocks) {
    if (block.kind != format::BlockKind::kRecords) continue;
    format::RecordsHeader header;
    REQUIRE(block.payload.size() > sizeof(header));
    memcpy(&header, block.payload.data(), sizeof(header));
    const std::string_view records = std::string_view(block.payload).substr(sizeof(header));
    Position& position = positions[header.thread_index];
    if (header.chunk_offset == 0) {
      REQUIRE(header.chunk_sequence == position.chunk_sequence + 1);
      recorded.AddChunk(header.thread_index, records);
    } else {
      REQUIRE(header.chunk_sequence == position.chunk_sequence);
      REQUIRE(header.chunk_offset == position.offset);
      recorded.AddRecords(header.thread_index, records);
    }
    position = {header.chunk_sequence, header.chunk_offset + records.size()};
  }
  return recorded;
}

}  // namespace autotrace::test
