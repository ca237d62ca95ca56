#include "exporter/unsent_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "exporter/block_parser.h"
#include "exporter/byte_order.h"
#include "exporter/records.h"
#include "exporter/ring_blocks.h"

namespace autotrace::exporter {
namespace {

using format::BlockKind;

bool Is(const Block& block, BlockKind kind) { return block.kind == static_cast<uint16_t>(kind); }

// How a block lies to what was sent.
struct Place {
  Place(const SegmentFile& segment, const Block& block, const SentState& sent)
      : begin(format::Position(segment.index, block.offset)),
        end(format::Position(segment.index, block.end)),
        was_sent(end <= sent.position),
        sent_spans(begin == sent.position ? sent.spans : 0) {}
  uint64_t begin;
  uint64_t end;
  bool was_sent;
  uint64_t sent_spans;  // the first ones of its spans
};

uint64_t CountSpans(std::string_view records) {
  uint64_t spans = 0;
  while (records.size() >= sizeof(uint64_t)) {
    const auto head = Load<uint64_t>(records.data());
    const size_t size = RecordSize(head);
    if (size == 0 || size > records.size()) break;
    if (IsSpan(head)) ++spans;
    records.remove_prefix(size);
  }
  return spans;
}

}  // namespace

// Lets through what was not sent, and tells errors of the sink from damaged blocks.
class UnsentReader::Filter final : public SpanSink {
 public:
  explicit Filter(BlockwiseSink& sink) : sink_(sink) {}

  absl::Status Begin(const Place& place) {
    was_sent_ = place.was_sent;
    left_out_ = place.sent_spans;
    return was_sent_ ? absl::OkStatus() : sink_.BeginBlock(place.begin, place.sent_spans);
  }
  void End(const Place& place) {
    if (!was_sent_) sink_.EndBlock(place.end);
    was_sent_ = false;
    left_out_ = 0;
  }
  absl::Status Consume(const Span& span) override {
    if (was_sent_) return absl::OkStatus();
    if (left_out_ > 0) {
      --left_out_;
      return absl::OkStatus();
    }
    status_ = sink_.Consume(span);
    return status_;
  }
  const absl::Status& status() const { return status_; }

 private:
  BlockwiseSink& sink_;
  bool was_sent_ = false;
  uint64_t left_out_ = 0;
  absl::Status status_;
};

UnsentReader::UnsentReader(const ProcessFiles& files, const SentState& sent, ModuleFiles* modules,
                           std::function<void(uint64_t bytes)> advance)
    : files_(files),
      sent_(sent),
      advance_(std::move(advance)),
      decoder_(DecodeOptions{true, files.process_key, modules}) {}

absl::Status UnsentReader::Read(BlockwiseSink& sink) {
  const std::vector<SegmentFile> segments = SegmentsOf(files_);
  if (!segments.empty() && segments.front().index > format::SegmentOf(sent_.position)) {
    // What was sent may end with the segment that it is in.
    const bool may_be_whole = sent_.position != 0 && sent_.spans == 0 &&
                              segments.front().index == format::SegmentOf(sent_.position) + 1;
    if (!may_be_whole) {
      warnings_.Add(
          absl::StrFormat("segments up to number %d were removed (max_disk) before they "
                          "were sent",
                          segments.front().index - 1));
    }
  }
  for (const SegmentFile& segment : segments) LookForOpenFrames(segment);
  Filter filter(sink);
  for (const SegmentFile& segment : segments) {
    if (absl::Status status = Decode(segment, filter); !status.ok()) return status;
  }
  absl::Status status = decoder_.End(filter);
  for (const std::string& warning : decoder_.statistics().warnings) warnings_.Add(warning);
  return status;
}

// Those that were copied last may be older than records that close them.
void UnsentReader::LookForOpenFrames(const SegmentFile& segment) {
  absl::StatusOr<OpenedSegment> opened = OpenSegment(segment, files_.process_key);
  if (!opened.ok()) return;
  BlockParser parser(opened->bytes.get(), opened->blocks_begin, opened->bytes->size());
  for (Block block; parser.Next(&block);) {
    if (Is(block, BlockKind::kOpenFrames)) decoder_.PrescanOpenFrames(block.payload);
  }
}

absl::Status UnsentReader::Decode(const SegmentFile& segment, Filter& filter) {
  absl::StatusOr<OpenedSegment> opened = OpenSegment(segment, files_.process_key);
  if (!opened.ok()) {
    warnings_.Add("left out: " + std::string(opened.status().message()));
    return absl::OkStatus();
  }
  const std::string name = BaseName(segment.path);
  BlockParser parser(opened->bytes.get(), opened->blocks_begin, opened->bytes->size());
  uint64_t position = 0;
  for (Block block; parser.Next(&block);) {
    const Place place(segment, block, sent_);
    if (absl::Status status = filter.Begin(place); !status.ok()) return status;
    const absl::Status status = decoder_.Block(block.kind, block.payload, filter);
    if (!filter.status().ok()) return filter.status();
    if (!status.ok()) warnings_.Add(name + ": " + std::string(status.message()));
    filter.End(place);
    advance_(block.end - position);
    position = block.end;
  }
  for (const Damage& damage : parser.damage()) {
    warnings_.Add(absl::StrFormat("%s: %d bytes at offset %d are damaged and were left out", name,
                                  damage.size, damage.offset));
  }
  return absl::OkStatus();
}

Unsent CountUnsent(const ProcessFiles& files) {
  Unsent unsent;
  const SentState sent = files.sent.has_value() ? files.sent->state : SentState();
  if (sent.all) return unsent;
  const std::vector<SegmentFile> segments = SegmentsOf(files);
  // Before the segments are read: what leaves the ring meanwhile is found in them.
  std::optional<RingSnapshot> ring;
  if (const auto found = FindProcess(segments, files.process_key);
      files.pack == nullptr && found.ok() && !found->info.ring_path.empty()) {
    auto copied = CopyRing(RingOf({files.pid, files.process_key}, *found));
    if (copied.ok()) ring = *std::move(copied);
  }
  std::optional<Coverage> coverage;
  if (ring.has_value()) coverage.emplace(*ring);
  for (const SegmentFile& segment : SegmentsOf(files)) {
    absl::StatusOr<OpenedSegment> opened = OpenSegment(segment, files.process_key);
    if (!opened.ok()) continue;
    BlockParser parser(opened->bytes.get(), opened->blocks_begin, opened->bytes->size());
    for (Block block; parser.Next(&block);) {
      if (!Is(block, BlockKind::kRecords)) continue;
      if (coverage.has_value()) coverage->Add(block.payload);
      const Place place(segment, block, sent);
      if (place.was_sent || block.payload.size() < sizeof(format::RecordsHeader)) continue;
      const uint64_t spans = CountSpans(block.payload.substr(sizeof(format::RecordsHeader)));
      unsent.spans += spans - std::min(spans, place.sent_spans);
      unsent.bytes += block.payload.size();
    }
  }
  if (!ring.has_value()) return unsent;
  for (const RingChunk& chunk : ring->chunks) {
    for (const auto& [begin, end] : coverage->Missing(chunk)) {
      unsent.spans += CountSpans(std::string_view(chunk.records).substr(begin, end - begin));
      unsent.bytes += end - begin;
    }
  }
  return unsent;
}

}  // namespace autotrace::exporter
