#include "exporter/sinks/batch_sender.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "exporter/sinks/otlp_encoder.h"
#include "exporter/sinks/otlp_json.h"

namespace autotrace::exporter {
namespace {

using Clock = std::chrono::steady_clock;

// The kernel keeps 15 characters.
constexpr char kThreadName[] = "autotrace-otlp";

std::unique_ptr<const OtlpEncoding> EncodingFor(const BatchSenderOptions& options) {
  if (options.json) return std::make_unique<OtlpJsonEncoding>();
  return std::make_unique<OtlpProtobufEncoding>();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchSender>> BatchSender::Start(
    BatchSenderOptions options, std::unique_ptr<OtlpTransport> transport, OnFailure on_failure,
    OnSent on_sent) {
  std::unique_ptr<BatchSender> sender(
      new BatchSender(options, std::move(transport), std::move(on_failure), std::move(on_sent)));
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
                         OnFailure on_failure, OnSent on_sent)
    : options_(options),
      transport_(std::move(transport)),
      on_failure_(std::move(on_failure)),
      on_sent_(std::move(on_sent)),
      encoding_(EncodingFor(options)),
      batcher_(*encoding_, options.batch,
               [this](OtlpRequest request) { return Enqueue(std::move(request)); }),
      jitter_(static_cast<uint32_t>(Clock::now().time_since_epoch().count())) {}

BatchSender::~BatchSender() { Close(Clock::now()); }

// ---- Handing in --------------------------------------------------------------------------------

absl::Status BatchSender::Consume(const Span& span) {
  const std::lock_guard lock(mutex_);
  if (!block_is_kept_ && queue_bytes_ >= options_.max_queue_bytes) {
    ++dropped_.queue_full;
    return absl::OkStatus();
  }
  ledger_.AddSpan();
  ++consumed_spans_;
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
  const bool is_full = queue_bytes_ + request.body.size() > options_.max_queue_bytes;
  if (!options_.keep && (closing_ || is_full)) {
    (closing_ ? dropped_.unsent : dropped_.queue_full) += request.spans;
    done_spans_ += request.spans;
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

void BatchSender::BeginBlock(uint64_t position, bool in_file, uint64_t sent_before) {
  const std::lock_guard lock(mutex_);
  ledger_.Begin(position, in_file, sent_before);
  block_is_kept_ = in_file;
}

void BatchSender::EndBlock(uint64_t position) {
  const std::lock_guard lock(mutex_);
  ledger_.End(position);
  block_is_kept_ = true;
}

bool BatchSender::IsFull() const {
  const std::lock_guard lock(mutex_);
  return stopped_ || queue_bytes_ >= options_.max_queue_bytes;
}

bool BatchSender::WaitForRoom() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return stopped_ || queue_bytes_ < options_.max_queue_bytes; });
  return !stopped_;
}

// ---- Waiting and asking ------------------------------------------------------------------------

bool BatchSender::Flush(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const uint64_t dropped_before = dropped_.total();
  const uint64_t failed_before = failed_attempts_;
  FlushBatch();
  retry_at_ = Deadline::min();
  work_.notify_one();
  done_.wait_until(lock, deadline,
                   [&] { return queue_.empty() || stopped_ || failed_attempts_ != failed_before; });
  return queue_.empty() && !stopped_ && dropped_.total() == dropped_before;
}

bool BatchSender::SendAll() {
  std::unique_lock lock(mutex_);
  FlushBatch();
  done_.wait(lock, [this] { return queue_.empty() || stopped_; });
  return queue_.empty() && !stopped_;
}

void BatchSender::Close(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    FlushBatch();
    closing_ = true;
    close_deadline_ = deadline;
    retry_at_ = Deadline::min();
    work_.notify_one();
  }
  transport_->LimitTo(deadline);
  if (thread_.joinable()) thread_.join();
}

DroppedSpans BatchSender::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

uint64_t BatchSender::sent() const {
  const std::lock_guard lock(mutex_);
  return sent_spans_;
}

uint64_t BatchSender::unsent() const {
  const std::lock_guard lock(mutex_);
  return consumed_spans_ - done_spans_;
}

bool BatchSender::has_stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

// ---- The thread --------------------------------------------------------------------------------

void BatchSender::Run() {
  pthread_setname_np(pthread_self(), kThreadName);
  for (;;) {
    try {
      SendUntilClosed();
      return;
    } catch (const std::exception&) {
      // Out of memory. The program must not die of it: what was waiting is lost (or, if it is kept
      // elsewhere, left to be sent from there), sending goes on.
      const std::lock_guard lock(mutex_);
      stopped_ = options_.keep;
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
  if (!options_.keep) {
    for (const OtlpRequest& request : queue_) {
      dropped_.*cause += request.spans;
      done_spans_ += request.spans;
    }
  }
  queue_.clear();
  queue_bytes_ = 0;
  done_.notify_all();
}

// True when there is a request to send, false when it is time to end.
bool BatchSender::WaitForWork(std::unique_lock<std::mutex>& lock) {
  bool resting = false;
  for (;;) {
    const Deadline now = Clock::now();
    if (closing_ && (queue_.empty() || stopped_ || now >= close_deadline_)) return false;
    if (now >= batch_due_) {
      FlushBatch();
      continue;
    }
    const bool is_waiting = !queue_.empty() && !stopped_;
    if (is_waiting && now >= retry_at_) return true;
    if (!resting) {
      lock.unlock();
      transport_->Rest();
      lock.lock();
      resting = true;
      continue;  // much may have changed meanwhile
    }
    Deadline until = std::min(batch_due_, closing_ ? close_deadline_ : Deadline::max());
    if (is_waiting) until = std::min(until, retry_at_);
    if (until == Deadline::max()) {
      work_.wait(lock);
    } else {
      work_.wait_until(lock, until);
    }
  }
}

void BatchSender::SendFront(std::unique_lock<std::mutex>& lock) {
  // References into a deque outlive push_back, and only this thread takes from it.
  const OtlpRequest& request = queue_.front();
  lock.unlock();
  const SendResult result = transport_->Send(request.body, Clock::now() + options_.request_timeout);
  const bool again = MayPass(result);
  const bool stops = options_.stop_when_refused && RefusesAll(result);
  const bool accepted = result.outcome == SendOutcome::kAccepted;
  const uint64_t lost = again || stops ? 0
                        : accepted     ? std::min<uint64_t>(result.rejected_spans, request.spans)
                                       : request.spans;
  if (on_failure_ && (!accepted || lost > 0 || !result.detail.empty())) on_failure_(result, lost);
  lock.lock();
  if (again) return PlanRetry(result);
  if (stops) {
    stopped_ = true;
    done_.notify_all();
    return;
  }
  failures_ = 0;
  dropped_.failed += lost;
  sent_spans_ += request.spans - lost;
  done_spans_ += request.spans;
  if (on_sent_) {
    const SentMark mark = ledger_.MarkOf(done_spans_);
    lock.unlock();
    on_sent_(mark);
    lock.lock();
  }
  queue_bytes_ -= request.body.size();
  queue_.pop_front();
  done_.notify_all();
}

void BatchSender::PlanRetry(const SendResult& result) {
  const Deadline now = Clock::now();
  ++failed_attempts_;
  if (failures_ == 0) first_failure_ = now;
  const auto longest =
      std::min(options_.longest_backoff, options_.first_backoff * (1 << std::min(failures_, 20)));
  ++failures_;
  std::uniform_int_distribution<int64_t> backoff(longest.count() / 2, longest.count());
  retry_at_ = now + std::chrono::nanoseconds(backoff(jitter_));
  // At the end nobody waits for an endpoint that is away.
  const bool in_vain = closing_ && (!WasReached(result) || retry_at_ >= close_deadline_);
  const bool for_too_long = now - first_failure_ >= options_.give_up_after;
  stopped_ = stopped_ || in_vain || for_too_long;
  done_.notify_all();
}

}  // namespace autotrace::exporter
