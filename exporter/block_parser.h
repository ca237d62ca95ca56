// Finds the blocks of a block stream (runtime/trace_format.h) in memory or in a source, checks
// them, and finds its way back after damage.
//
//   BlockParser parser(&source, sizeof(format::SegmentHeader), source.size());
//   Block block;
//   while (parser.Next(&block)) decoder.Block(block.kind, block.payload, sink);
//   for (const Damage& damage : parser.damage()) ...
//
// A block that does not check out is skipped up to the next place (8-byte aligned) where a whole
// block with a valid checksum stands. A block that the stream's end cuts off is no damage: its
// writer was stopped, or is still at work. Memory: the largest block and a megabyte.
#ifndef AUTOTRACE_EXPORTER_BLOCK_PARSER_H_
#define AUTOTRACE_EXPORTER_BLOCK_PARSER_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "exporter/byte_source.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {

struct Block {
  uint16_t kind = 0;  // format::BlockKind, or one that this reader does not know
  uint32_t crc32c = 0;
  std::string_view payload;  // until the next call of Next
  uint64_t offset = 0;       // of the block's header
  uint64_t end = 0;          // of the block, padding included
};

struct Damage {
  uint64_t offset = 0;
  uint64_t size = 0;  // bytes skipped
};

class BlockParser {
 public:
  // Over memory, which must outlive the parser.
  explicit BlockParser(std::string_view bytes);
  // Over [begin, end) of a source, which need not be there to the end, and must outlive the parser.
  BlockParser(ByteSource* source, uint64_t begin, uint64_t end);

  // The next whole block. False at the end.
  bool Next(Block* block);

  // What was skipped so far; at most kMaxDamage pieces are kept apart, the last one then stands for
  // all the rest.
  static constexpr size_t kMaxDamage = 64;
  const std::vector<Damage>& damage() const { return damage_; }
  // After the end: size of the block that the end cuts off. 0: the stream ends with a whole block.
  uint64_t truncated_bytes() const { return truncated_bytes_; }
  // Where the last whole block ended.
  uint64_t last_block_end() const { return last_block_end_; }

 private:
  enum class Verdict { kGood, kBad, kCutOff };

  Verdict Examine(Block* block);
  size_t Want(size_t size);
  void SkipToMagic();
  void AddDamage(uint64_t offset, uint64_t size);
  const char* here() const { return window_.data() + (position_ - window_start_); }

  ByteSource* source_ = nullptr;
  std::string buffer_;       // of a source
  std::string_view window_;  // what is readable, from window_start_ on
  uint64_t window_start_ = 0;
  uint64_t position_ = 0;
  uint64_t end_ = 0;
  uint64_t checksum_budget_ = 0;  // bytes of bad candidates that may still be checksummed
  std::vector<Damage> damage_;
  uint64_t truncated_bytes_ = 0;
  uint64_t last_block_end_ = 0;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_BLOCK_PARSER_H_
