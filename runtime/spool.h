// Live export with something to fall back on: what is to be sent is written to the run's folder
// first, and stays there until the endpoint has it. So a kill loses nothing (`autotracer push`
// sends the rest), and neither does an endpoint that is away, or slower than the program, for
// longer than memory lasts: from then on blocks are kept and not handed to the exporter.
//
// The run's folder may be a recording that was asked for as well; then nothing is removed from it.
// Background thread only, or the thread that ends the process.
#ifndef AUTOTRACE_RUNTIME_SPOOL_H_
#define AUTOTRACE_RUNTIME_SPOOL_H_

#include <stdint.h>

#include <memory>
#include <string>

#include "runtime/block_sink.h"
#include "runtime/live_exporter.h"
#include "runtime/segment_writer.h"
#include "runtime/sent_file.h"

namespace autotrace {

class Spool final : public BlockSink {
 public:
  // Owns none of them; they must outlive it. `segments` was given `sent`. `folder`: of the run, for
  // messages.
  Spool(SegmentWriter* segments, SentFile* sent, std::string folder, bool is_recording)
      : segments_(segments), sent_(sent), folder_(std::move(folder)), is_recording_(is_recording) {}
  // Until then, and if there never is one, blocks are kept only. What was kept by then must not
  // hold any records.
  void set_live(LiveExporter* live) { live_ = live; }

  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override;
  uint64_t Room() const override { return segments_->Room(); }
  bool Refused(std::string_view head, std::string_view body, uint64_t spans) override;
  void PassEnded() override { segments_->PassEnded(); }
  bool Flush(uint64_t timeout_nanos) override;
  void Close(uint64_t timeout_nanos) override { segments_->Close(timeout_nanos); }

  // From now on a kill finds a file that tells of the process, and of what is in its ring.
  void Begin() { segments_->Begin(); }
  // Segments that were sent, after open calls were copied into the ring: what a kill leaves open is
  // in that copy then, and nothing in these segments is needed to know it.
  void RemoveSent();
  // The program may be replaced in a moment. True when everything was sent and nothing is left on
  // the disk. Not to be called while calls are open.
  bool RemoveIfAllSent();

  struct Outcome {
    uint64_t kept = 0;     // spans that are on the disk, to be sent by somebody else
    uint64_t dropped = 0;  // refused by the endpoint
    uint64_t lost = 0;     // neither sent nor on the disk
  };
  // At the end, after the exporter was closed. What is not needed any more is removed.
  // `has_open_calls`: there are unfinished spans to be made.
  Outcome Settle(bool has_open_calls);

 private:
  void Hand(format::BlockKind kind, std::string_view head, std::string_view body, uint64_t spans);
  bool IsAllSent(bool has_open_calls) const;

  SegmentWriter* const segments_;
  SentFile* const sent_;
  const std::string folder_;
  const bool is_recording_;
  LiveExporter* live_ = nullptr;
  bool is_behind_ = false;      // blocks are kept and not handed on
  bool told_of_disk_ = false;   // that it takes no more
  uint64_t kept_spans_ = 0;     // not handed on, in files
  uint64_t nowhere_spans_ = 0;  // neither handed on nor in files
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SPOOL_H_
