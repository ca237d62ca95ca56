// Reads what one process left, segments and ring, as one stream of spans.
#ifndef AUTOTRACE_EXPORTER_PROCESS_READER_H_
#define AUTOTRACE_EXPORTER_PROCESS_READER_H_

#include <stdint.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "exporter/ring_blocks.h"
#include "exporter/run_files.h"
#include "exporter/run_reader.h"
#include "exporter/span_decoder.h"

namespace autotrace::exporter {

// Warnings for people. Beyond the first few, damage is only counted.
class Warnings {
 public:
  void Add(std::string line);
  // With the rest's count, if there is a rest.
  std::vector<std::string> Lines() const;

 private:
  static constexpr size_t kMost = 20;
  std::vector<std::string> lines_;
  uint64_t more_ = 0;
};

class ProcessReader {
 public:
  // `advance` is told how many more bytes were read. `modules` must outlive the reader.
  ProcessReader(const ProcessFiles& files, ModuleFiles* modules,
                std::function<void(uint64_t bytes)> advance);

  // Hands every span to the sink, without Finish. Errors are the sink's. Once.
  absl::Status Read(SpanSink& sink);

  const SpanDecoder& decoder() const { return decoder_; }
  const Warnings& warnings() const { return warnings_; }
  uint64_t removed_segments() const { return removed_segments_; }
  bool is_spool() const { return files_.sent.has_value() && files_.sent->is_spool; }

 private:
  class CheckedSink;
  struct Segment {
    SegmentFile file;
    uint64_t end = 0;  // how much of it is looked at
  };

  void CopyRingIfAny();
  void ListSegments();
  void Prescan(Segment& segment);
  absl::Status Decode(const Segment& segment, bool last, CheckedSink& sink);
  absl::Status DecodeBlock(uint16_t kind, std::string_view payload, const std::string& where,
                           CheckedSink& sink);
  absl::Status DecodeRing(CheckedSink& sink);

  const ProcessFiles files_;
  const std::function<void(uint64_t bytes)> advance_;
  SpanDecoder decoder_;
  std::optional<RingSnapshot> ring_;
  std::optional<Coverage> coverage_;
  std::vector<Segment> segments_;
  uint64_t removed_segments_ = 0;
  Warnings warnings_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PROCESS_READER_H_
