// How far in a process's blocks everything was sent: from counts of spans, which is what the
// sending side knows, to places in its segment files.
//
// Blocks are handed in one after the other, each with where it begins and ends in the files; spans
// of it are handed in in between, and are done with in the same order, later. What was done is
// always a beginning of the whole.
#ifndef AUTOTRACE_EXPORTER_SINKS_SENT_LEDGER_H_
#define AUTOTRACE_EXPORTER_SINKS_SENT_LEDGER_H_

#include <stdint.h>

#include <algorithm>
#include <deque>

namespace autotrace::exporter {

// All blocks that end at `position` or before it, and the first `spans` spans of the block that
// begins there. Places in files as format::Position gives them.
struct SentMark {
  uint64_t position = 0;
  uint64_t spans = 0;
  friend bool operator==(const SentMark&, const SentMark&) = default;
};

// Not thread-safe.
class SentLedger {
 public:
  // Spans from now on are of the block that begins here. `in_file` false: of one that stands in no
  // file. So many of its first spans are not handed in, because they were sent by somebody else.
  void Begin(uint64_t position, bool in_file, uint64_t sent_before = 0) {
    blocks_.push_back({position, 0, total_, sent_before, in_file, false});
  }
  void AddSpan() { ++total_; }
  // The block that was begun ends here.
  void End(uint64_t position) {
    if (blocks_.empty()) return;
    Block& block = blocks_.back();
    block.is_whole = true;
    block.end = block.in_file ? position : end_of_last_;
    block.spans_to = total_;
    end_of_last_ = block.end;
    // Most blocks that are not records have no spans, and there may be many of them.
    if (blocks_.size() > 1 && block.spans_to == blocks_[blocks_.size() - 2].spans_to) {
      blocks_[blocks_.size() - 2].end = block.end;
      blocks_.pop_back();
    }
  }

  // So many spans in all are done with.
  SentMark MarkOf(uint64_t done) {
    while (!blocks_.empty() && blocks_.front().is_whole && blocks_.front().spans_to <= done) {
      first_span_ = blocks_.front().spans_to;
      position_ = blocks_.front().end;
      blocks_.pop_front();
    }
    if (!blocks_.empty() && blocks_.front().in_file && done > first_span_) {
      return {blocks_.front().begin, blocks_.front().sent_before + done - first_span_};
    }
    return {position_, 0};
  }
  uint64_t total() const { return total_; }

 private:
  struct Block {
    uint64_t begin;
    uint64_t end;
    uint64_t spans_to;  // all spans up to its end
    uint64_t sent_before;
    bool in_file;
    bool is_whole;
  };

  std::deque<Block> blocks_;  // not yet done with
  uint64_t total_ = 0;
  uint64_t end_of_last_ = 0;
  uint64_t position_ = 0;    // end of the last one that was done with
  uint64_t first_span_ = 0;  // spans up to there
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_SENT_LEDGER_H_
