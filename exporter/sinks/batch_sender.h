// Batches spans and sends the batches from a thread of its own, in memory that is bounded: the
// heart of live export. Whoever hands in spans never waits for the network; what does not fit or
// does not arrive is counted.
//
//   Consume -> OtlpBatcher -> queue (bounded in bytes) -> thread -> OtlpTransport
#ifndef AUTOTRACE_EXPORTER_SINKS_BATCH_SENDER_H_
#define AUTOTRACE_EXPORTER_SINKS_BATCH_SENDER_H_

#include <stddef.h>
#include <stdint.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "exporter/sinks/otlp_batcher.h"
#include "exporter/sinks/otlp_encoder.h"
#include "exporter/sinks/otlp_transport.h"
#include "exporter/span.h"

namespace autotrace::exporter {

struct BatchSenderOptions {
  OtlpBatchLimits batch;
  // A batch that is not full goes out this long after its first span.
  std::chrono::nanoseconds delay = std::chrono::seconds(1);
  // Of encoded requests, the one being sent included. The batch being filled comes on top.
  size_t max_queue_bytes = size_t{32} << 20;
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(10);
};

// Spans that did not arrive, by cause.
struct DroppedSpans {
  uint64_t queue_full = 0;
  uint64_t failed = 0;  // the request failed, or the endpoint rejected them
  uint64_t unsent = 0;  // still waiting when the time at the end was over
  uint64_t total() const { return queue_full + failed + unsent; }
};

// All members may be called on any thread, but Close only once and last. In a child forked from the
// process that started it, only leaking the object is safe: the thread is not there.
class BatchSender final : public SpanSink {
 public:
  // Called on the sending thread after a request that failed or was accepted in part, with the
  // number of spans lost.
  using OnFailure = std::function<void(const SendResult& result, uint64_t spans)>;

  // Starts the thread, named "autotrace-otlp" and with all signals blocked. Unavailable when there
  // can be no thread.
  static absl::StatusOr<std::unique_ptr<BatchSender>> Start(
      BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport, OnFailure on_failure);
  // Close(now), unless closed.
  ~BatchSender() override;

  // Always OK: what cannot be queued is counted.
  absl::Status Consume(const Span& span) override;
  absl::Status Finish() override { return absl::OkStatus(); }

  // Sends everything that was consumed so far. False when some of it did not arrive, or not in time
  // (it is still sent later).
  bool Flush(Deadline deadline);
  // Flush, then ends the thread, at the deadline at the latest (and a few milliseconds).
  void Close(Deadline deadline);

  DroppedSpans dropped() const;

 private:
  BatchSender(BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport,
              OnFailure on_failure);
  absl::Status Enqueue(OtlpRequest request);  // with mutex_ held
  void FlushBatch();                          // with mutex_ held
  void Run();
  void SendUntilClosed();
  void DropQueue(uint64_t DroppedSpans::*cause);  // with mutex_ held
  bool WaitForWork(std::unique_lock<std::mutex>& lock);
  void SendFront(std::unique_lock<std::mutex>& lock);

  const BatchSenderOptions options_;
  const std::unique_ptr<OtlpTransport> transport_;
  const OnFailure on_failure_;
  const OtlpProtobufEncoding encoding_;

  // std::mutex and std::condition_variable, not Abseil's: those wait on the wall clock.
  mutable std::mutex mutex_;
  std::condition_variable work_;  // for the thread: something to send, or closing
  std::condition_variable idle_;  // for Flush: a request is done
  OtlpBatcher batcher_;
  Deadline batch_due_ = Deadline::max();  // max: the batch is empty
  std::deque<OtlpRequest> queue_;         // the front one stays while it is sent
  size_t queue_bytes_ = 0;
  DroppedSpans dropped_;
  bool closing_ = false;
  Deadline close_deadline_ = Deadline::max();
  std::thread thread_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_BATCH_SENDER_H_
