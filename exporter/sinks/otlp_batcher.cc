#include "exporter/sinks/otlp_batcher.h"

#include <utility>

namespace autotrace::exporter {

OtlpBatcher::OtlpBatcher(const OtlpEncoding& encoding, OtlpBatchLimits limits, Deliver deliver)
    : encoding_(encoding), limits_(limits), deliver_(std::move(deliver)) {}

absl::Status OtlpBatcher::Consume(const Span& span) {
  scratch_.clear();
  encoding_.AppendSpan(span, &scratch_);
  const size_t size = scratch_.size() + encoding_.separator().size();
  absl::Status status;
  if (pending_spans_ > 0 && pending_bytes_ + size > limits_.max_bytes) status = Flush();
  OtlpProcessSpans& process = SpansOf(span.process);
  if (!process.spans.empty()) process.spans += encoding_.separator();
  process.spans += scratch_;
  ++pending_spans_;
  pending_bytes_ += size;
  if (pending_spans_ >= limits_.max_spans) status.Update(Flush());
  return status;
}

absl::Status OtlpBatcher::Flush() {
  if (pending_spans_ == 0) return absl::OkStatus();
  OtlpRequest request{encoding_.Request(processes_), pending_spans_};
  processes_.clear();
  pending_spans_ = 0;
  pending_bytes_ = 0;
  return deliver_(std::move(request));
}

OtlpProcessSpans& OtlpBatcher::SpansOf(const Process* process) {
  // From the back: runs are read process by process, so the last one is nearly always it.
  for (auto it = processes_.rbegin(); it != processes_.rend(); ++it) {
    if (it->process == process) return *it;
  }
  OtlpProcessSpans& added = processes_.emplace_back();
  added.process = process;
  // The resource and scope count, too: measured once a batch, by encoding them without spans.
  pending_bytes_ += encoding_.Request({added}).size();
  return added;
}

}  // namespace autotrace::exporter
