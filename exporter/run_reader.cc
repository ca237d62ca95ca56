#include "exporter/run_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "exporter/module_files.h"
#include "exporter/pack_reader.h"
#include "exporter/process_reader.h"

namespace autotrace::exporter {

class RunReader::Impl {
 public:
  Impl(Run run, ReadOptions options)
      : run_(std::move(run)), options_(std::move(options)), modules_(options_.source_locations) {}

  absl::Status Read(SpanSink& sink);
  const ReadStatistics& statistics() const { return statistics_; }
  const std::vector<std::unique_ptr<ProcessReader>>& readers() const { return readers_; }

 private:
  // Told to the progress callback at most this often.
  static constexpr uint64_t kProgressBytes = uint64_t{1} << 20;

  void Advance(uint64_t bytes);
  void Account(const ProcessReader& reader);
  void Summarize();
  void WarnOfPipelineIds(const ProcessReader& reader);

  const Run run_;
  const ReadOptions options_;
  ModuleFiles modules_;
  std::vector<std::unique_ptr<ProcessReader>> readers_;  // spans point into them
  ReadStatistics statistics_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  uint64_t told_ = 0;
  uint64_t removed_segments_ = 0;
  uint64_t sent_segments_ = 0;  // likewise, but by who sends them
  uint64_t without_trace_ = 0;
};

absl::Status RunReader::Impl::Read(SpanSink& sink) {
  statistics_ = ReadStatistics();
  total_ = done_ = told_ = removed_segments_ = sent_segments_ = without_trace_ = 0;
  for (const ProcessFiles& process : run_.processes) total_ += process.bytes;
  if (run_.pack != nullptr && !run_.pack->damage().empty()) {
    statistics_.warnings.push_back(run_.pack->damage());
  }
  for (const ProcessFiles& process : run_.processes) {
    readers_.push_back(std::make_unique<ProcessReader>(process, &modules_,
                                                       [this](uint64_t bytes) { Advance(bytes); }));
    const absl::Status status = readers_.back()->Read(sink);
    Account(*readers_.back());
    if (!status.ok()) return status;
  }
  Summarize();
  if (options_.progress) options_.progress(total_, total_);
  return sink.Finish();
}

void RunReader::Impl::Advance(uint64_t bytes) {
  done_ += bytes;
  if (done_ > total_) total_ = done_;  // written to while it is read
  if (!options_.progress || done_ - told_ < kProgressBytes) return;
  told_ = done_;
  options_.progress(done_, total_);
}

void RunReader::Impl::Account(const ProcessReader& reader) {
  const DecodeStatistics& decoded = reader.decoder().statistics();
  statistics_.spans += decoded.spans;
  statistics_.unfinished += decoded.unfinished;
  for (const QuietFunction& quiet : decoded.quiet) statistics_.quiet[quiet.name] += quiet.calls;
  without_trace_ += decoded.without_trace;
  (reader.is_spool() ? sent_segments_ : removed_segments_) += reader.removed_segments();
  for (size_t i = 0; i < decoded.counters.size(); ++i) {
    const std::string_view cause = DropCause(static_cast<format::Counter>(i));
    if (cause.empty() || decoded.counters[i] == 0) continue;
    statistics_.dropped[std::string(cause)] += decoded.counters[i];
  }
  for (std::string& line : reader.warnings().Lines()) {
    statistics_.warnings.push_back(std::move(line));
  }
}

void RunReader::Impl::Summarize() {
  if (removed_segments_ > 0) {
    statistics_.warnings.push_back(
        absl::StrFormat("%d %s removed (max_disk)", removed_segments_,
                        removed_segments_ == 1 ? "segment was" : "segments were"));
  }
  if (sent_segments_ > 0) {
    statistics_.warnings.push_back(
        absl::StrFormat("what is here is what waits to be sent: %d %s removed", sent_segments_,
                        sent_segments_ == 1 ? "segment was sent and" : "segments were sent and"));
  }
  if (without_trace_ > 0) {
    statistics_.warnings.push_back(
        absl::StrFormat("%d spans stand in traces of their own, because the record that says which "
                        "trace they belong to was lost",
                        without_trace_));
  }
  for (const std::unique_ptr<ProcessReader>& reader : readers_) WarnOfPipelineIds(*reader);
}

// Not of a program that one of this run started: there the id stands on a root in the same run.
void RunReader::Impl::WarnOfPipelineIds(const ProcessReader& reader) {
  const uint64_t suppressed = reader.decoder().statistics().suppressed_pipeline_ids;
  if (suppressed == 0) return;
  const Process& process = reader.decoder().process();
  for (const std::unique_ptr<ProcessReader>& other : readers_) {
    const uint64_t pid = other->decoder().process().pid;
    if (other.get() != &reader && (pid == process.parent_pid || pid == process.pid)) return;
  }
  statistics_.warnings.push_back(absl::StrFormat(
      "process %d continues %d traces of another process, where the pipeline id does not stand; "
      "pipeline_id_on: local_root puts it on its first span",
      process.pid, suppressed));
}

RunReader::RunReader(Run run, ReadOptions options)
    : impl_(std::make_unique<Impl>(std::move(run), std::move(options))) {}
RunReader::~RunReader() = default;
absl::Status RunReader::Read(SpanSink& sink) { return impl_->Read(sink); }
const ReadStatistics& RunReader::statistics() const { return impl_->statistics(); }

void RunReader::VisitFunctions(
    const std::function<void(const Function&, std::string_view linker_name)>& visit) const {
  for (const auto& reader : impl_->readers()) reader->decoder().VisitFunctions(visit);
}

uint64_t RunReader::left_out_below() const {
  uint64_t longest = 0;
  for (const auto& reader : impl_->readers()) {
    longest = std::max(longest, reader->decoder().left_out_below());
  }
  return longest;
}

}  // namespace autotrace::exporter
