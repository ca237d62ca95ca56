// Reads what of one process's segments was not sent yet, as the program itself would have sent it:
// the same spans in the same order with the same ids and times, and at the end what was open when
// the process died. For processes that have ended and whose ring was recovered (recover.h).
#ifndef AUTOTRACE_EXPORTER_UNSENT_READER_H_
#define AUTOTRACE_EXPORTER_UNSENT_READER_H_

#include <stdint.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "exporter/process_reader.h"
#include "exporter/run_files.h"
#include "exporter/run_reader.h"
#include "exporter/span_decoder.h"
#include "runtime/sent_file.h"

namespace autotrace::exporter {

// Takes spans block by block (positions as format::Position gives them); what comes after the last
// block is of none.
class BlockwiseSink : public SpanSink {
 public:
  // The spans that follow are of the block that begins here, but for its first `sent_before` ones.
  // An error ends the reading.
  virtual absl::Status BeginBlock(uint64_t position, uint64_t sent_before) = 0;
  virtual void EndBlock(uint64_t position) = 0;
};

class UnsentReader {
 public:
  // `modules` must outlive the reader. `advance` is told how many more bytes were read.
  UnsentReader(const ProcessFiles& files, const SentState& sent, ModuleFiles* modules,
               std::function<void(uint64_t bytes)> advance);

  // Hands over every span that was not sent. Errors are the sink's. Once.
  absl::Status Read(BlockwiseSink& sink);

  const SpanDecoder& decoder() const { return decoder_; }
  // Damaged or missing parts.
  const Warnings& warnings() const { return warnings_; }

 private:
  class Filter;

  void LookForOpenFrames(const SegmentFile& segment);
  absl::Status Decode(const SegmentFile& segment, Filter& filter);

  const ProcessFiles files_;
  const SentState sent_;
  const std::function<void(uint64_t bytes)> advance_;
  SpanDecoder decoder_;
  Warnings warnings_;
};

// Of one process, by its files alone.
struct Unsent {
  uint64_t spans = 0;  // that ended
  uint64_t bytes = 0;  // of records
};
Unsent CountUnsent(const ProcessFiles& files);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_UNSENT_READER_H_
