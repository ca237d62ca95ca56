#include "runtime/spool.h"

#include <string.h>

#include <algorithm>

#include "runtime/log.h"

namespace autotrace {

bool Spool::Block(format::BlockKind kind, std::string_view head, std::string_view body,
                  uint64_t spans) {
  if (!segments_->Block(kind, head, body, spans) && kind == format::BlockKind::kRecords) {
    return false;
  }
  Hand(kind, head, body, spans);
  return true;
}

bool Spool::Refused(std::string_view head, std::string_view body, uint64_t spans) {
  segments_->Refused(head, body, spans);
  if (!is_recording_ && !told_of_disk_) {
    told_of_disk_ = true;
    Log("cannot write to " + folder_ + ": " + strerror(segments_->last_error()) +
        "; spans are sent, but those that wait when the program is killed are lost");
  }
  Hand(format::BlockKind::kRecords, head, body, spans);
  return !is_recording_;  // it is for the spans that are in neither place that Settle counts
}

void Spool::Hand(format::BlockKind kind, std::string_view head, std::string_view body,
                 uint64_t spans) {
  const bool in_file = segments_->block_end() != 0;
  if (live_ != nullptr && !is_behind_) {
    if (live_->Hand(kind, head, body, segments_->block_begin(), segments_->block_end())) return;
    is_behind_ = true;
    Log("the endpoint takes spans more slowly than they come: from now on they are kept in " +
        folder_ + "; send them later with: autotracer push " + folder_);
  }
  (in_file ? kept_spans_ : nowhere_spans_) += spans;
}

bool Spool::Flush(uint64_t timeout_nanos) {
  return live_ != nullptr && live_->Flush(timeout_nanos) && !is_behind_;
}

void Spool::RemoveSent() {
  if (!is_recording_) segments_->RemoveBefore(sent_->state().position);
}

bool Spool::IsAllSent(bool has_open_calls) const {
  if (live_ == nullptr) return !has_open_calls && kept_spans_ + nowhere_spans_ == 0;
  return !is_behind_ && nowhere_spans_ == 0 && live_->counts().unsent == 0;
}

bool Spool::RemoveIfAllSent() {
  if (is_recording_ || !IsAllSent(/*has_open_calls=*/false)) return false;
  segments_->RemoveAll();
  return true;
}

Spool::Outcome Spool::Settle(bool has_open_calls) {
  Outcome outcome;
  if (live_ != nullptr) outcome.dropped = live_->counts().dropped;
  if (IsAllSent(has_open_calls)) {
    if (is_recording_) {
      sent_->Store({sent_->state().position, 0, true});
    } else {
      segments_->RemoveAll();
    }
    return outcome;
  }
  outcome.kept = kept_spans_ + (live_ != nullptr ? live_->counts().unsent : 0);
  outcome.lost = nowhere_spans_;
  if (segments_->HasLost() || !segments_->has_segments()) {
    const uint64_t on_disk = segments_->SpansAfter(sent_->state());
    outcome.lost += outcome.kept - std::min(outcome.kept, on_disk);
    outcome.kept = std::min(outcome.kept, on_disk);
  }
  if (outcome.kept == 0 && live_ != nullptr && !is_recording_) segments_->RemoveAll();
  return outcome;
}

}  // namespace autotrace
