#include "exporter/sinks/live_exporter.h"

#include "absl/strings/str_cat.h"
#include "exporter/sinks/otlp_http.h"

namespace autotrace::exporter {

absl::StatusOr<std::unique_ptr<LiveExporter>> LiveExporter::Create(
    const LiveExporterOptions& options, std::function<void(const std::string& line)> log) {
  auto transport = OtlpHttpSender::Create(options.http);
  if (!transport.ok()) return transport.status();
  std::unique_ptr<LiveExporter> exporter(new LiveExporter(options, std::move(log)));
  auto sender = BatchSender::Start(
      options.sender, std::move(*transport),
      [failures = &exporter->failures_](const SendResult& result, uint64_t spans) {
        failures->Report(result, spans);
      },
      options.on_sent);
  if (!sender.ok()) return sender.status();
  exporter->sender_ = std::move(*sender);
  return exporter;
}

LiveExporter::LiveExporter(const LiveExporterOptions& options,
                           std::function<void(const std::string& line)> log)
    : keeps_(options.sender.keep),
      log_(std::move(log)),
      failures_(EndpointForPeople(options.http.endpoint), log_),
      decoder_(options.decode) {}

bool LiveExporter::Block(uint16_t kind, std::string_view payload, const BlockPlace& place) {
  if (!keeps_) {
    LogOnce(decoder_.Block(kind, payload, *sender_));
    return true;
  }
  refused_block_ = refused_block_ || (place.in_file() && sender_->IsFull());
  if (refused_block_) return false;
  refused_block_ = true;  // until all of it was taken: there may be no memory for it
  sender_->BeginBlock(place.begin, place.in_file());
  LogOnce(decoder_.Block(kind, payload, *sender_));
  sender_->EndBlock(place.end);
  refused_block_ = false;
  return true;
}

void LiveExporter::Close(Deadline deadline) {
  // What was open then is not known if there are blocks that it has not seen.
  if (!refused_block_) LogOnce(decoder_.End(*sender_));
  const DecodeStatistics& statistics = decoder_.statistics();
  for (const std::string& warning : statistics.warnings) log_(warning);
  if (statistics.suppressed_pipeline_ids > 0) {
    log_(absl::StrCat(statistics.suppressed_pipeline_ids,
                      " traces have a pipeline id but a parent in another process, so no span of "
                      "this one carries it; pipeline_id_on: local_root changes that"));
  }
  sender_->Close(deadline);
  failures_.Summarize(sender_->dropped());
}

void LiveExporter::LogOnce(const absl::Status& status) {
  if (status.ok() || logged_damage_) return;
  logged_damage_ = true;
  log_(absl::StrCat("a part of the trace could not be decoded and is not exported: ",
                    status.message()));
}

}  // namespace autotrace::exporter
