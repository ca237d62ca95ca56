// How fast records become spans, and spans OTLP protobuf, with Google Benchmark: the blocks of one
// recorded process are kept in memory, so that no file is read.
//
//   decoder_benchmark RUN_FOLDER [--benchmark_...]
#include <benchmark/benchmark.h>
#include <stdint.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "exporter/block_parser.h"
#include "exporter/run_files.h"
#include "exporter/run_reader.h"
#include "exporter/sinks/otlp_batcher.h"
#include "exporter/sinks/otlp_encoder.h"
#include "exporter/span_decoder.h"

namespace autotrace::exporter {
namespace {

// More than fits into any cache, and read again and again.
constexpr size_t kMostBytes = size_t{64} << 20;

struct KeptBlock {
  uint16_t kind;
  std::string payload;
};

// The first blocks of a process's first segment.
absl::StatusOr<std::vector<KeptBlock>> ReadBlocks(const std::string& path) {
  absl::StatusOr<Run> run = FindRun("", path);
  if (!run.ok()) return run.status();
  const ProcessFiles& process = run->processes.front();
  absl::StatusOr<OpenedSegment> opened =
      OpenSegment({process.segments.front(), 0, 0}, process.process_key);
  if (!opened.ok()) return opened.status();
  std::vector<KeptBlock> blocks;
  BlockParser parser(opened->bytes.get(), opened->blocks_begin, opened->bytes->size());
  size_t bytes = 0;
  for (Block block; bytes < kMostBytes && parser.Next(&block);) {
    blocks.push_back({block.kind, std::string(block.payload)});
    bytes += block.payload.size();
  }
  return blocks;
}

class CountingSink : public SpanSink {
 public:
  absl::Status Consume(const Span& span) override {
    benchmark::DoNotOptimize(span.start_unix_nanos);
    return absl::OkStatus();
  }
};

// All of the blocks into the sink; returns how many spans they held.
uint64_t Decode(const std::vector<KeptBlock>& blocks, SpanSink& sink) {
  SpanDecoder decoder(DecodeOptions{});
  for (const KeptBlock& block : blocks) {
    decoder.Block(block.kind, block.payload, sink).IgnoreError();
  }
  decoder.End(sink).IgnoreError();
  return decoder.statistics().spans;
}

void CountSpans(benchmark::State& state, uint64_t spans) {
  state.SetItemsProcessed(static_cast<int64_t>(spans));
}

void ToSpans(benchmark::State& state, const std::vector<KeptBlock>& blocks) {
  uint64_t spans = 0;
  CountingSink sink;
  for (auto _ : state) spans += Decode(blocks, sink);
  CountSpans(state, spans);
}

void ToProtobuf(benchmark::State& state, const std::vector<KeptBlock>& blocks) {
  uint64_t spans = 0;
  const OtlpProtobufEncoding encoding;
  OtlpBatcher batcher(encoding, {}, [](const OtlpRequest& request) {
    benchmark::DoNotOptimize(request.body.data());
    return absl::OkStatus();
  });
  for (auto _ : state) spans += Decode(blocks, batcher);
  CountSpans(state, spans);
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    fprintf(stderr, "usage: decoder_benchmark RUN_FOLDER [--benchmark_...]\n");
    return 2;
  }
  const absl::StatusOr<std::vector<KeptBlock>> blocks = ReadBlocks(argv[1]);
  if (!blocks.ok()) {
    fprintf(stderr, "%s\n", std::string(blocks.status().message()).c_str());
    return 1;
  }
  benchmark::RegisterBenchmark("records to spans", &ToSpans, *blocks);
  benchmark::RegisterBenchmark("records to OTLP protobuf", &ToProtobuf, *blocks);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace autotrace::exporter

int main(int argc, char** argv) { return autotrace::exporter::Main(argc, argv); }
