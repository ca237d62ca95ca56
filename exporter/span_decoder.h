// From the blocks of one process to spans. Streams: what it keeps grows with threads, functions,
// call sites and open spans' extensions, not with the run. Fed by RunReader from files and by the
// export library from the ring of the program it lives in.
#ifndef AUTOTRACE_EXPORTER_SPAN_DECODER_H_
#define AUTOTRACE_EXPORTER_SPAN_DECODER_H_

#include <stddef.h>
#include <stdint.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "exporter/module_files.h"
#include "exporter/span.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {

struct DecodeOptions {
  bool source_locations = true;
  // As in the segments' headers; 0: not known. service.instance.id is made of it.
  uint64_t process_key = 0;
  // Shared by the decoders of a run, so that each binary is opened once; must outlive them. Null:
  // the decoder has its own, and then source_locations holds.
  ModuleFiles* module_files = nullptr;
};

// A function that is not recorded any more, because its first `calls` calls were all too short.
struct QuietFunction {
  std::string name;
  uint64_t calls = 0;
};

struct DecodeStatistics {
  uint64_t spans = 0;
  uint64_t unfinished = 0;
  // Spans whose kTraceBegin was lost. Each stands in a trace of its own.
  uint64_t without_trace = 0;
  // Roots in this process that have a pipeline id which is not on them, because their parent is in
  // another process that did not fork this one.
  uint64_t suppressed_pipeline_ids = 0;
  std::array<uint64_t, static_cast<size_t>(format::Counter::kCount)> counters{};
  // Known at the end.
  std::vector<QuietFunction> quiet;
  std::vector<std::string> warnings;
};

// "ring_full" for kDroppedRingFull and so on; empty for counters that count no drops.
std::string_view DropCause(format::Counter counter);

// What is handed out (processes, threads, functions, call sites, names) never changes and lives as
// long as the decoder. Not thread-safe.
class SpanDecoder {
 public:
  explicit SpanDecoder(DecodeOptions options);
  ~SpanDecoder();

  // Optional, for readers that have everything at hand: all blocks, before the first call of Block.
  // The resource then tells what was dropped in the end, and open frames may stand before or after
  // the records that close them.
  void Prescan(uint16_t kind, std::string_view payload);

  // Only that: the payload of a kOpenFrames block that follows. One whose records are in order, so
  // that nothing is decoded otherwise than it was when it was sent while the process ran.
  void PrescanOpenFrames(std::string_view payload);

  // One block's kind (format::BlockKind) and payload, checksum already verified. Spans that are
  // complete go to the sink. Damage is an error that names what was wrong; the next block can be
  // given all the same. An error of the sink is returned as it is.
  absl::Status Block(uint16_t kind, std::string_view payload, SpanSink& sink);

  // No more blocks: what was last seen open (kOpenFrames) and has no record of its own goes to the
  // sink, marked unfinished. A process that ended in an orderly way has such spans, too, when some
  // of its threads were still at work.
  absl::Status End(SpanSink& sink);

  // The functions of which a call was recorded or could have been, with their linker names (empty:
  // not known). Those of spans are the same objects.
  void VisitFunctions(
      const std::function<void(const Function&, std::string_view linker_name)>& visit) const;
  // The longest duration up to which calls may have been left out, in nanoseconds; all of them,
  // whatever they took, when some were too deep (max_depth).
  uint64_t left_out_below() const;

  // As of now: a later one stands for the same process with more drops in its resource.
  const Process& process() const;
  const DecodeStatistics& statistics() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SPAN_DECODER_H_
