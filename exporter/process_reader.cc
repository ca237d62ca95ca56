#include "exporter/process_reader.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "exporter/block_parser.h"

namespace autotrace::exporter {

void Warnings::Add(std::string line) {
  if (lines_.size() < kMost) {
    lines_.push_back(std::move(line));
  } else {
    ++more_;
  }
}

std::vector<std::string> Warnings::Lines() const {
  std::vector<std::string> lines = lines_;
  if (more_ > 0) lines.push_back(absl::StrFormat("and %d more warnings", more_));
  return lines;
}

// Tells errors of the sink from damaged blocks.
class ProcessReader::CheckedSink : public SpanSink {
 public:
  explicit CheckedSink(SpanSink& sink) : sink_(sink) {}
  absl::Status Consume(const Span& span) override {
    status_ = sink_.Consume(span);
    return status_;
  }
  const absl::Status& status() const { return status_; }

 private:
  SpanSink& sink_;
  absl::Status status_;
};

ProcessReader::ProcessReader(const ProcessFiles& files, ModuleFiles* modules,
                             std::function<void(uint64_t bytes)> advance)
    : files_(files),
      advance_(std::move(advance)),
      decoder_(DecodeOptions{true, files.process_key, modules}) {}

// The ring is copied before the segments are read: what leaves it meanwhile is found in them.
absl::Status ProcessReader::Read(SpanSink& sink) {
  ListSegments();
  CopyRingIfAny();
  if (files_.state != ProcessState::kEnded) ListSegments();

  if (ring_.has_value()) coverage_.emplace(*ring_);
  for (Segment& segment : segments_) Prescan(segment);
  if (ring_.has_value()) {
    VisitRingMetadata(
        *ring_, [&](uint16_t kind, std::string_view payload) { decoder_.Prescan(kind, payload); });
  }

  CheckedSink checked(sink);
  for (const Segment& segment : segments_) {
    const bool last = &segment == &segments_.back();
    if (absl::Status status = Decode(segment, last, checked); !status.ok()) return status;
  }
  if (absl::Status status = DecodeRing(checked); !status.ok()) return status;
  ring_.reset();
  absl::Status status = decoder_.End(checked);
  for (const std::string& warning : decoder_.statistics().warnings) warnings_.Add(warning);
  return status;
}

void ProcessReader::ListSegments() {
  segments_.clear();
  for (SegmentFile& file : SegmentsOf(files_)) segments_.push_back({std::move(file), 0});
  if (!segments_.empty()) {
    removed_segments_ = uint64_t{segments_.back().file.index} + 1 - segments_.size();
  }
}

void ProcessReader::CopyRingIfAny() {
  std::vector<SegmentFile> files;
  for (const Segment& segment : segments_) files.push_back(segment.file);
  const absl::StatusOr<FoundProcess> found = FindProcess(files, files_.process_key);
  if (!found.ok()) return;
  const std::string& path = found->info.ring_path;
  if (path.empty()) {
    if (files_.state == ProcessState::kDied) {
      warnings_.Add(absl::StrFormat(
          "process %d died, and what it had not yet written is lost: its ring was private memory",
          files_.pid));
    }
    return;
  }
  if (files_.pack != nullptr) return;  // what it held is in the segments (recover.h)
  absl::StatusOr<RingSnapshot> ring = CopyRing(RingOf({files_.pid, files_.process_key}, *found));
  if (ring.ok()) {
    ring_ = *std::move(ring);
  } else if (!absl::IsNotFound(ring.status())) {
    warnings_.Add("ring left out: " + std::string(ring.status().message()));
  }
}

void ProcessReader::Prescan(Segment& segment) {
  absl::StatusOr<OpenedSegment> opened = OpenSegment(segment.file, files_.process_key);
  if (!opened.ok()) {
    if (!absl::IsNotFound(opened.status())) {
      warnings_.Add("left out: " + std::string(opened.status().message()));
    }
    return;
  }
  segment.end = opened->bytes->size();
  BlockParser parser(opened->bytes.get(), opened->blocks_begin, segment.end);
  for (Block block; parser.Next(&block);) {
    decoder_.Prescan(block.kind, block.payload);
    if (coverage_.has_value() && block.kind == static_cast<uint16_t>(format::BlockKind::kRecords)) {
      coverage_->Add(block.payload);
    }
  }
}

absl::Status ProcessReader::Decode(const Segment& segment, bool last, CheckedSink& sink) {
  absl::StatusOr<OpenedSegment> opened = OpenSegment(segment.file, files_.process_key);
  if (!opened.ok() || segment.end == 0) return absl::OkStatus();
  const std::string name = BaseName(segment.file.path);
  BlockParser parser(opened->bytes.get(), opened->blocks_begin, segment.end);
  uint64_t position = 0;
  for (Block block; parser.Next(&block);) {
    if (absl::Status status = DecodeBlock(block.kind, block.payload, name, sink); !status.ok()) {
      return status;
    }
    advance_(block.end - position);
    position = block.end;
  }
  for (const Damage& damage : parser.damage()) {
    warnings_.Add(absl::StrFormat("%s: %d bytes at offset %d are damaged and were left out", name,
                                  damage.size, damage.offset));
  }
  // The last block of a running process is still being written. One that a kill cut off stands in
  // the ring, which gives nothing up before it is written, or, recovered, in the next segment.
  const bool elsewhere = !last || ring_.has_value() || files_.state == ProcessState::kRunning;
  if (parser.truncated_bytes() > 0 && !elsewhere) {
    warnings_.Add(absl::StrFormat("%s: the last %d bytes are an incomplete block and were left out",
                                  name, parser.truncated_bytes()));
  }
  return absl::OkStatus();
}

absl::Status ProcessReader::DecodeBlock(uint16_t kind, std::string_view payload,
                                        const std::string& where, CheckedSink& sink) {
  const absl::Status status = decoder_.Block(kind, payload, sink);
  if (!sink.status().ok()) return sink.status();
  if (!status.ok()) warnings_.Add(where + ": " + std::string(status.message()));
  return absl::OkStatus();
}

absl::Status ProcessReader::DecodeRing(CheckedSink& sink) {
  if (!ring_.has_value()) return absl::OkStatus();
  const auto decode = [&](uint16_t kind, std::string_view payload) {
    // Visiting goes on after an error, but nothing more is handed out.
    if (sink.status().ok()) DecodeBlock(kind, payload, "ring", sink).IgnoreError();
  };
  const bool whole = VisitRingMetadata(*ring_, decode);
  bool damaged = !whole && files_.state != ProcessState::kRunning;
  for (const RingChunk& chunk : ring_->chunks) damaged = damaged || chunk.damaged;
  if (damaged) warnings_.Add("ring: parts of it are damaged and were left out");
  VisitRingRecords(*ring_, *coverage_, decode);
  return sink.status();
}

}  // namespace autotrace::exporter
