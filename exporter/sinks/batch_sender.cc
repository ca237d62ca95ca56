#include "exporter/sinks/batch_sender.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"

namespace autotrace::exporter {
namespace {

using Clock = std::chrono::steady_clock;

// The kernel keeps 15 characters.
constexpr char kThreadName[] = "autotrace-otlp";

}  // namespace

absl::StatusOr<std::unique_ptr<BatchSender>> BatchSender::Start(
    BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport, OnFailure on_failure) {
  std::unique_ptr<BatchSender> sender(
      new BatchSender(options, std::move(transport), std::move(on_failure)));
  // A new thread inherits the mask, and so do those that libcurl makes: none of them ever runs one
  // of the program's signal handlers.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const absl::Cleanup restore = [&before] { pthread_sigmask(SIG_SETMASK, &before, nullptr); };
  try {
    sender->thread_ = std::thread(&BatchSender::Run, sender.get());
  } catch (const std::system_error&) {
    return absl::UnavailableError("the sending thread could not be created");
  }
  return sender;
}

BatchSender::BatchSender(BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport,
                         OnFailure on_failure)
    : options_(options),
      transport_(std::move(transport)),
      on_failure_(std::move(on_failure)),
      batcher_(encoding_, options.batch,
               [this](OtlpRequest request) { return Enqueue(std::move(request)); }) {}

BatchSender::~BatchSender() { Close(Clock::now()); }

absl::Status BatchSender::Consume(const Span& span) {
  const std::lock_guard lock(mutex_);
  const absl::Status status = batcher_.Consume(span);
  if (batcher_.pending_spans() == 0) {
    batch_due_ = Deadline::max();
  } else if (batcher_.pending_spans() == 1) {
    batch_due_ = Clock::now() + options_.delay;
    work_.notify_one();
  }
  return status;
}

absl::Status BatchSender::Enqueue(OtlpRequest request) {
  if (closing_ || queue_bytes_ + request.body.size() > options_.max_queue_bytes) {
    (closing_ ? dropped_.unsent : dropped_.queue_full) += request.spans;
    return absl::OkStatus();
  }
  queue_bytes_ += request.body.size();
  queue_.push_back(std::move(request));
  work_.notify_one();
  return absl::OkStatus();
}

void BatchSender::FlushBatch() {
  batcher_.Flush().IgnoreError();  // Enqueue does not fail
  batch_due_ = Deadline::max();
}

bool BatchSender::Flush(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const uint64_t dropped_before = dropped_.total();
  FlushBatch();
  const bool in_time = idle_.wait_until(lock, deadline, [this] { return queue_.empty(); });
  return in_time && dropped_.total() == dropped_before;
}

void BatchSender::Close(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    FlushBatch();
    closing_ = true;
    close_deadline_ = deadline;
    work_.notify_one();
  }
  transport_->LimitTo(deadline);
  if (thread_.joinable()) thread_.join();
}

DroppedSpans BatchSender::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void BatchSender::Run() {
  pthread_setname_np(pthread_self(), kThreadName);
  for (;;) {
    try {
      SendUntilClosed();
      return;
    } catch (const std::exception&) {
      // Out of memory. The program must not die of it: what was waiting is lost, sending goes on.
      const std::lock_guard lock(mutex_);
      DropQueue(&DroppedSpans::failed);
      batch_due_ = Deadline::max();
    }
  }
}

void BatchSender::SendUntilClosed() {
  std::unique_lock lock(mutex_);
  while (WaitForWork(lock)) SendFront(lock);
  DropQueue(&DroppedSpans::unsent);
}

void BatchSender::DropQueue(uint64_t DroppedSpans::*cause) {
  for (const OtlpRequest& request : queue_) dropped_.*cause += request.spans;
  queue_.clear();
  queue_bytes_ = 0;
  idle_.notify_all();
}

// True when there is a request to send, false when it is time to end.
bool BatchSender::WaitForWork(std::unique_lock<std::mutex>& lock) {
  bool resting = false;
  for (;;) {
    if (closing_ && (queue_.empty() || Clock::now() >= close_deadline_)) return false;
    if (!queue_.empty()) return true;
    if (Clock::now() >= batch_due_) {
      FlushBatch();
      continue;
    }
    if (!resting) {
      lock.unlock();
      transport_->Rest();
      lock.lock();
      resting = true;
      continue;  // much may have changed meanwhile
    }
    if (batch_due_ == Deadline::max()) {
      work_.wait(lock);
    } else {
      work_.wait_until(lock, batch_due_);
    }
  }
}

void BatchSender::SendFront(std::unique_lock<std::mutex>& lock) {
  // References into a deque outlive push_back, and only this thread takes from it.
  const OtlpRequest& request = queue_.front();
  lock.unlock();
  const SendResult result = transport_->Send(request.body, Clock::now() + options_.request_timeout);
  const bool accepted = result.outcome == SendOutcome::kAccepted;
  const uint64_t lost =
      accepted ? std::min<uint64_t>(result.rejected_spans, request.spans) : request.spans;
  if (on_failure_ && (!accepted || lost > 0 || !result.detail.empty())) on_failure_(result, lost);
  lock.lock();
  dropped_.failed += lost;
  queue_bytes_ -= request.body.size();
  queue_.pop_front();
  if (queue_.empty()) idle_.notify_all();
}

}  // namespace autotrace::exporter
