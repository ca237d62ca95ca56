// Turns failed requests into lines that say what is wrong and what to do: each kind of failure
// once, and a count at the end, so that an endpoint that is away for a day costs a line, not a
// flood.
#ifndef AUTOTRACE_EXPORTER_SINKS_FAILURE_LOG_H_
#define AUTOTRACE_EXPORTER_SINKS_FAILURE_LOG_H_

#include <stdint.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "exporter/sinks/batch_sender.h"
#include "exporter/sinks/otlp_transport.h"

namespace autotrace::exporter {

// One line for people, without line end or "autotrace: ". `endpoint` as EndpointForPeople gives it.
std::string DescribeFailure(const std::string& endpoint, const SendResult& result, uint64_t spans);

// Not thread-safe.
class FailureLog {
 public:
  // `log` prints one line.
  FailureLog(std::string endpoint, std::function<void(const std::string& line)> log);

  // Logs the first failure of each outcome and HTTP status.
  void Report(const SendResult& result, uint64_t spans);
  // A last line with what was lost, if anything was.
  void Summarize(const DroppedSpans& dropped);

 private:
  const std::string endpoint_;
  const std::function<void(const std::string& line)> log_;
  absl::flat_hash_set<std::pair<int, int>> reported_;  // outcome, HTTP status
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_FAILURE_LOG_H_
