// Chrome's trace-event format, JSON object form: a file that ui.perfetto.dev and chrome://tracing
// open. Each span is a complete event ("ph":"X") on its thread's track; processes and threads are
// named by metadata events.
//
// Viewers read "ts" as a double, which at today's Unix time in microseconds is exact to a quarter
// of a microsecond only: children would stick out of their parents. So times are counted from a
// base: midnight (UTC) before the day before the first span that arrives, which is in
// otherData.base_unix_nanos. That leaves nanoseconds exact for two months, and no time negative in
// traces that were open for less than a day.
#ifndef AUTOTRACE_EXPORTER_SINKS_CHROME_TRACE_H_
#define AUTOTRACE_EXPORTER_SINKS_CHROME_TRACE_H_

#include <stdint.h>
#include <stdio.h>

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "exporter/span.h"

namespace autotrace::exporter {

// Keeps one entry per process and thread, nothing per span. Events come in the order of spans,
// which is that of their ends; viewers sort.
class ChromeTraceSink final : public SpanSink {
 public:
  // Does not close `file`.
  explicit ChromeTraceSink(FILE* file) : file_(file) {}

  absl::Status Consume(const Span& span) override;
  absl::Status Finish() override;

 private:
  void Begin(uint64_t first_start_unix_nanos);
  void BeginEvent();
  void NameProcessOnce(const Process& process);
  void NameThreadOnce(const Process& process, const Thread& thread);
  void AppendMetadata(const char* what, uint64_t pid, uint64_t tid, const std::string& name);
  void AppendSpan(const Span& span);

  FILE* file_;
  std::string buffer_;
  bool begun_ = false;
  bool has_events_ = false;
  uint64_t base_unix_nanos_ = 0;
  // A process may be handed out as several objects over time, so its key and id tell it.
  using ProcessIdentity = std::pair<uint64_t, uint64_t>;
  absl::flat_hash_set<ProcessIdentity> named_processes_;
  absl::flat_hash_set<std::pair<ProcessIdentity, const Thread*>> named_threads_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_CHROME_TRACE_H_
