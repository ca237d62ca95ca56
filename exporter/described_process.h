// A process as spans refer to it: what its kProcess block says, its configuration, and its resource
// with what was dropped so far.
#ifndef AUTOTRACE_EXPORTER_DESCRIBED_PROCESS_H_
#define AUTOTRACE_EXPORTER_DESCRIBED_PROCESS_H_

#include <stdint.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "exporter/process_info.h"
#include "exporter/span.h"
#include "filters/config.h"
#include "filters/pipeline_rules.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {

using Counters = std::array<uint64_t, static_cast<size_t>(format::Counter::kCount)>;

class DescribedProcess {
 public:
  explicit DescribedProcess(uint64_t process_key);

  // Payloads of kProcess and kCounters blocks. A kProcess block that repeats the last one does
  // nothing; when its configuration cannot be read, defaults hold and *warning says so.
  absl::Status Describe(std::string_view payload, std::string* warning);
  absl::Status Count(std::string_view payload);

  // What spans are to point to. Sinks look at it later and on other threads, so it is never changed
  // once it was handed out: a new one takes its place when drops have at least doubled, so that a
  // program that drops all the time does not make ever more of them.
  const Process* HandOut() {
    handed_out_ = true;
    return &versions_.back();
  }
  const Process& present() const { return versions_.back(); }
  // Brings the drop counts up to date whatever they are.
  void Refresh();

  const ProcessInfo& info() const { return info_; }
  const filters::Config& config() const { return config_; }
  const filters::PipelineRules& pipelines() const { return *pipelines_; }
  const Counters& counters() const { return counters_; }

 private:
  void Rebuild();

  uint64_t process_key_;
  std::string payload_;  // of the last kProcess block
  ProcessInfo info_;
  filters::Config config_;
  std::unique_ptr<filters::PipelineRules> pipelines_;
  std::vector<Attribute> resource_;  // without drops
  Counters counters_{};
  Counters shown_{};  // in the present version
  std::deque<Process> versions_;
  bool handed_out_ = false;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_DESCRIBED_PROCESS_H_
