#include "exporter/described_process.h"

#include <algorithm>
#include <utility>

#include "exporter/byte_order.h"
#include "exporter/span_decoder.h"
#include "filters/config_loader.h"

namespace autotrace::exporter {

std::string_view DropCause(format::Counter counter) {
  switch (counter) {
    case format::Counter::kDroppedRingFull:
      return "ring_full";
    case format::Counter::kDroppedInHook:
      return "in_hook";
    case format::Counter::kDroppedBeforeStart:
      return "before_start";
    case format::Counter::kDroppedNoMemory:
      return "no_memory";
    case format::Counter::kDroppedDisk:
      return "disk";
    case format::Counter::kDroppedDiskCap:
      return "disk_cap";
    case format::Counter::kDroppedExport:
      return "export";
    case format::Counter::kLostDetails:
      return "details";
    case format::Counter::kRecordedSpans:
    case format::Counter::kCount:
      break;
  }
  return {};
}

namespace {

bool IsDrop(size_t counter) { return !DropCause(static_cast<format::Counter>(counter)).empty(); }

}  // namespace

DescribedProcess::DescribedProcess(uint64_t process_key)
    : process_key_(process_key), pipelines_(std::make_unique<filters::PipelineRules>(config_)) {
  resource_ = ResourceOf(info_, config_, process_key_);
  Rebuild();
}

absl::Status DescribedProcess::Describe(std::string_view payload, std::string* warning) {
  if (payload == payload_) return absl::OkStatus();
  absl::StatusOr<ProcessInfo> info = ParseProcess(payload);
  if (!info.ok()) return info.status();
  payload_ = payload;
  info_ = *std::move(info);
  if (process_key_ == 0) process_key_ = info_.process_key;
  config_ = filters::Config();
  if (!info_.config_yaml.empty()) {
    filters::LoadResult loaded = filters::ParseConfig(info_.config_yaml, "recorded configuration");
    if (loaded.error.empty()) {
      config_ = std::move(loaded.config);
    } else {
      *warning = std::move(loaded.error);
    }
  }
  pipelines_ = std::make_unique<filters::PipelineRules>(config_);
  resource_ = ResourceOf(info_, config_, process_key_);
  Rebuild();
  return absl::OkStatus();
}

absl::Status DescribedProcess::Count(std::string_view payload) {
  if (payload.size() % sizeof(format::CounterEntry) != 0) {
    return absl::DataLossError("a block of counters has a wrong size");
  }
  bool worth_telling = false;
  format::CounterEntry entry;
  while (Take(&payload, &entry)) {
    if (entry.counter >= counters_.size()) continue;
    uint64_t& total = counters_[entry.counter];
    total = std::max(total, entry.value);  // totals only grow
    const uint64_t shown = shown_[entry.counter];
    if (IsDrop(entry.counter) && total > shown && total - shown >= shown) worth_telling = true;
  }
  if (worth_telling) Rebuild();
  return absl::OkStatus();
}

void DescribedProcess::Refresh() {
  for (size_t i = 0; i < counters_.size(); ++i) {
    if (IsDrop(i) && shown_[i] != counters_[i]) return Rebuild();
  }
}

void DescribedProcess::Rebuild() {
  if (versions_.empty() || handed_out_) versions_.emplace_back();
  handed_out_ = false;
  Process& process = versions_.back();
  process.pid = info_.pid;
  process.parent_pid = info_.parent_pid;
  process.process_key = process_key_;
  process.executable = info_.executable;
  process.resource = resource_;
  for (size_t i = 0; i < counters_.size(); ++i) {
    if (!IsDrop(i) || counters_[i] == 0) continue;
    const std::string_view cause = DropCause(static_cast<format::Counter>(i));
    SetAttribute(&process.resource, "autotrace.dropped." + std::string(cause),
                 static_cast<int64_t>(counters_[i]));
  }
  shown_ = counters_;
}

}  // namespace autotrace::exporter
