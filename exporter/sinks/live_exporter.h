// Live export of one process: the blocks the runtime drains from its ring become spans, batches and
// requests. What libautotrace-cpp-export.so hands out behind its C interface (export_library.cc).
#ifndef AUTOTRACE_EXPORTER_SINKS_LIVE_EXPORTER_H_
#define AUTOTRACE_EXPORTER_SINKS_LIVE_EXPORTER_H_

#include <stdint.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/sinks/batch_sender.h"
#include "exporter/sinks/failure_log.h"
#include "exporter/sinks/otlp_http.h"
#include "exporter/sinks/otlp_transport.h"
#include "exporter/span_decoder.h"

namespace autotrace::exporter {

struct LiveExporterOptions {
  OtlpHttpOptions http;
  BatchSenderOptions sender;
  DecodeOptions decode;
  // With sender.keep; on the sending thread. See BatchSender.
  BatchSender::OnSent on_sent;
};

// Where a block stands in the segment files that keep it; both 0: in none.
struct BlockPlace {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool in_file() const { return end != 0; }
};

struct LiveCounts {
  uint64_t unsent = 0;   // handed in, and neither sent nor given up
  uint64_t dropped = 0;  // refused by the endpoint, or no room for them
};

// Block, Flush and Close on one thread; dropped on any.
class LiveExporter {
 public:
  // `log` prints one line for people, also from the sending thread, until Close returns.
  static absl::StatusOr<std::unique_ptr<LiveExporter>> Create(
      const LiveExporterOptions& options, std::function<void(const std::string& line)> log);

  // One block of a block stream. Never waits for the network. The first damaged block is logged.
  // False: there is no room for a block that stands in a file; no more blocks are to come then.
  bool Block(uint16_t kind, std::string_view payload, const BlockPlace& place = {});
  // See BatchSender.
  bool Flush(Deadline deadline) { return sender_->Flush(deadline); }
  // Spans still open go out marked as unfinished (unless a block was refused), then everything is
  // sent as far as time allows.
  void Close(Deadline deadline);
  LiveCounts counts() const { return {sender_->unsent(), sender_->dropped().total()}; }

 private:
  LiveExporter(const LiveExporterOptions& options,
               std::function<void(const std::string& line)> log);
  void LogOnce(const absl::Status& status);

  const bool keeps_;
  const std::function<void(const std::string& line)> log_;
  FailureLog failures_;  // on the sending thread until that has ended
  SpanDecoder decoder_;
  bool logged_damage_ = false;
  bool refused_block_ = false;
  // Last: its thread ends before what it uses goes, and what its batches point to is the decoder's.
  std::unique_ptr<BatchSender> sender_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_LIVE_EXPORTER_H_
