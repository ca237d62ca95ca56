// Input: a segment file. Its blocks are found in memory and in a file, and decoded to spans in both
// ways that readers decode: as they come (live export), and after a first pass (recorded runs).
#include <unistd.h>

#include <string>
#include <vector>

#include "exporter/block_parser.h"
#include "exporter/span_decoder.h"
#include "runtime/trace_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/touching_sink.h"
#ifdef AUTOTRACE_FUZZ
#include "tests/fuzz/repair_checksums.h"
#endif

namespace autotrace::fuzz {
namespace {

using exporter::Block;
using exporter::BlockParser;
using exporter::DecodeOptions;
using exporter::SpanDecoder;

constexpr size_t kBegin = sizeof(format::SegmentHeader);

std::vector<Block> Blocks(BlockParser* parser) {
  std::vector<Block> blocks;
  uint64_t end = 0;
  for (Block block; parser->Next(&block);) {
    Require(block.offset >= end && block.end > block.offset, "blocks follow each other");
    end = block.end;
    Touch(block.payload);
    block.payload = {};
    blocks.push_back(block);
  }
  return blocks;
}

void CompareWithFile(std::string_view bytes, const std::vector<Block>& in_memory,
                     const BlockParser& memory_parser) {
  static const MemoryFile file;
  file.Set(bytes);
  exporter::FileSource source(exporter::FileHandle(dup(file.descriptor())), bytes.size());
  BlockParser parser(&source, kBegin, bytes.size());
  const std::vector<Block> in_file = Blocks(&parser);
  Require(in_file.size() == in_memory.size(), "a file has the blocks that its bytes have");
  for (size_t i = 0; i < in_file.size(); ++i) {
    Require(in_file[i].offset == in_memory[i].offset + kBegin &&
                in_file[i].end == in_memory[i].end + kBegin && in_file[i].kind == in_memory[i].kind,
            "a file's blocks are those of its bytes");
  }
  Require(parser.damage().size() == memory_parser.damage().size() &&
              parser.truncated_bytes() == memory_parser.truncated_bytes(),
          "a file is as damaged as its bytes");
}

void Decode(std::string_view stream, bool prescan) {
  TouchingSink sink;
  SpanDecoder decoder(DecodeOptions{false, prescan ? 1u : 0u, nullptr});
  if (prescan) {
    BlockParser parser(stream);
    for (Block block; parser.Next(&block);) decoder.Prescan(block.kind, block.payload);
  }
  BlockParser parser(stream);
  for (Block block; parser.Next(&block);) {
    decoder.Block(block.kind, block.payload, sink).IgnoreError();
  }
  Require(decoder.End(sink).ok() && sink.Finish().ok(), "only a sink makes the end fail");
  for (const std::string& warning : decoder.statistics().warnings) Touch(warning);
}

}  // namespace

void TestInput(std::string_view bytes) {
  if (bytes.size() < kBegin) return;
  const std::string_view stream = bytes.substr(kBegin);
  BlockParser parser(stream);
  CompareWithFile(bytes, Blocks(&parser), parser);
  Decode(stream, /*prescan=*/false);
  Decode(stream, /*prescan=*/true);
}

}  // namespace autotrace::fuzz

#ifdef AUTOTRACE_FUZZ
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) autotrace::fuzz::RepairChecksums(data, autotrace::fuzz::kBegin, size, seed);
  return size;
}
#endif
