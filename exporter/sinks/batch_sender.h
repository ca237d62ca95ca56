// Batches spans and sends the batches from a thread of its own, in memory that is bounded: the
// heart of live export. Whoever hands in spans never waits for the network; what does not fit or
// does not arrive is counted.
//
//   Consume -> OtlpBatcher -> queue (bounded in bytes) -> thread -> OtlpTransport
//
// A request that failed for a reason that may pass (MayPass) stays at the queue's head and is sent
// again; one that the endpoint refused is given up.
//
// Spans that are kept elsewhere until they were sent (BatchSenderOptions::keep: the spool) are
// handed in block by block and are never dropped: when the queue is full, whoever hands them in is
// to stop, or to wait.
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
#include <random>
#include <thread>

#include "absl/status/statusor.h"
#include "exporter/sinks/otlp_batcher.h"
#include "exporter/sinks/otlp_encoding.h"
#include "exporter/sinks/otlp_transport.h"
#include "exporter/sinks/sent_ledger.h"
#include "exporter/span.h"

namespace autotrace::exporter {

struct BatchSenderOptions {
  bool json = false;  // what requests are encoded as; false: protobuf
  OtlpBatchLimits batch;
  // A batch that is not full goes out this long after its first span.
  std::chrono::nanoseconds delay = std::chrono::seconds(1);
  // Of encoded requests, the one being sent included. The batch being filled comes on top.
  size_t max_queue_bytes = size_t{32} << 20;
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(10);
  // Before a failed request is sent again: this long at first, twice as long each time, up to the
  // longest; the actual times lie between half and all of it, so that many programs do not come
  // back to an endpoint at once.
  std::chrono::nanoseconds first_backoff = std::chrono::milliseconds(250);
  std::chrono::nanoseconds longest_backoff = std::chrono::seconds(10);
  // The spans are kept until they were sent. See above.
  bool keep = false;
  // With `keep`: stop when a request failed for so long, and when the endpoint refuses everything
  // that is sent to it (a wrong path, wrong credentials).
  std::chrono::nanoseconds give_up_after = std::chrono::nanoseconds::max();
  bool stop_when_refused = false;
};

// Spans that did not arrive, by cause.
struct DroppedSpans {
  uint64_t queue_full = 0;
  uint64_t failed = 0;  // the endpoint refused the request or rejected them
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
  // With `keep`, on the sending thread: everything up to this place is done with.
  using OnSent = std::function<void(const SentMark& mark)>;

  // Starts the thread, named "autotrace-otlp" and with all signals blocked. Unavailable when there
  // can be no thread.
  static absl::StatusOr<std::unique_ptr<BatchSender>> Start(
      BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport, OnFailure on_failure,
      OnSent on_sent = nullptr);
  // Close(now), unless closed.
  ~BatchSender() override;

  // Always OK: what cannot be queued is counted.
  absl::Status Consume(const Span& span) override;
  absl::Status Finish() override { return absl::OkStatus(); }

  // ---- With `keep`
  // The spans that follow are of the block that begins here. `in_file` false: of one that is kept
  // nowhere, so that its spans are dropped when the queue is full.
  // The first `sent_before` of its spans were sent before, and are not handed in.
  void BeginBlock(uint64_t position, bool in_file, uint64_t sent_before = 0);
  void EndBlock(uint64_t position);
  // No block that is kept is to be handed in now; never again when sending has stopped.
  bool IsFull() const;
  // Waits until it is not full. False when sending has stopped.
  bool WaitForRoom();
  // Spans that were handed in and are neither sent nor given up.
  uint64_t unsent() const;
  // Has it stopped before all was sent? See give_up_after.
  bool has_stopped() const;

  // Sends everything that was consumed so far. False when some of it did not arrive, or not in time
  // (it is still sent later), or when a request fails meanwhile.
  bool Flush(Deadline deadline);
  // Waits until everything that was consumed was sent, or sending has stopped; true for the former.
  bool SendAll();
  // Flush, then ends the thread, at the deadline at the latest (and a few milliseconds); earlier,
  // when the endpoint cannot be reached.
  void Close(Deadline deadline);

  DroppedSpans dropped() const;
  // Spans that arrived.
  uint64_t sent() const;

 private:
  BatchSender(BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport,
              OnFailure on_failure, OnSent on_sent);
  absl::Status Enqueue(OtlpRequest request);  // with mutex_ held
  void FlushBatch();                          // with mutex_ held
  void Run();
  void SendUntilClosed();
  void DropQueue(uint64_t DroppedSpans::*cause);  // with mutex_ held
  bool WaitForWork(std::unique_lock<std::mutex>& lock);
  void SendFront(std::unique_lock<std::mutex>& lock);
  void PlanRetry(const SendResult& result);  // with mutex_ held

  const BatchSenderOptions options_;
  const std::unique_ptr<OtlpTransport> transport_;
  const OnFailure on_failure_;
  const OnSent on_sent_;
  const std::unique_ptr<const OtlpEncoding> encoding_;

  // std::mutex and std::condition_variable, not Abseil's: those wait on the wall clock.
  mutable std::mutex mutex_;
  std::condition_variable work_;  // for the thread: something to send, or closing
  std::condition_variable done_;  // for those who wait: a request is done, or failed
  OtlpBatcher batcher_;
  Deadline batch_due_ = Deadline::max();  // max: the batch is empty
  std::deque<OtlpRequest> queue_;         // the front one stays while it is sent
  size_t queue_bytes_ = 0;
  uint64_t consumed_spans_ = 0;
  uint64_t done_spans_ = 0;  // sent, refused or rejected
  uint64_t sent_spans_ = 0;
  DroppedSpans dropped_;
  SentLedger ledger_;
  bool block_is_kept_ = true;
  // Of the request at the head.
  int failures_ = 0;
  Deadline first_failure_;
  Deadline retry_at_ = Deadline::min();
  std::minstd_rand jitter_;
  uint64_t failed_attempts_ = 0;  // of all requests
  bool stopped_ = false;
  bool closing_ = false;
  Deadline close_deadline_ = Deadline::max();
  std::thread thread_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_BATCH_SENDER_H_
