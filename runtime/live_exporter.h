// Passes blocks to libautotrace-cpp-export.so, which is loaded only here and only when spans are to
// leave the program live. Background thread only, apart from IsSupported.
#ifndef AUTOTRACE_RUNTIME_LIVE_EXPORTER_H_
#define AUTOTRACE_RUNTIME_LIVE_EXPORTER_H_

#include <string>

#include "exporter/export_abi.h"
#include "runtime/block_sink.h"
#include "runtime/sent_file.h"

namespace autotrace {

class LiveExporter final : public BlockSink {
 public:
  // False in static programs, which load nothing (record_only/live_exporter.cc): they record only.
  static bool IsSupported();

  // `config_yaml` with secrets. `sent`: is told on the exporter's own thread how far everything was
  // sent, of blocks that are kept (Hand); must outlive this object. Null: nothing is kept. Logs why
  // when it cannot work; ok() is then false.
  explicit LiveExporter(const std::string& config_yaml, SentFile* sent = nullptr);

  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override;
  bool Flush(uint64_t timeout_nanos) override;
  void Close(uint64_t timeout_nanos) override;

  // A block that is kept at this place; both 0: it is not. False when there is no room for it and
  // it is kept: then no more are to come.
  bool Hand(format::BlockKind kind, std::string_view head, std::string_view body, uint64_t begin,
            uint64_t end);

  bool ok() const { return exporter_ != nullptr || is_closed_; }
  autotrace_export_counts counts() const;

 private:
  autotrace_exporter* exporter_ = nullptr;
  // Not used in static programs.
  [[maybe_unused]] autotrace_export_block_t block_ = nullptr;
  [[maybe_unused]] autotrace_export_flush_t flush_ = nullptr;
  [[maybe_unused]] autotrace_export_count_t count_ = nullptr;
  [[maybe_unused]] autotrace_export_close_t close_ = nullptr;
  bool is_closed_ = false;
  [[maybe_unused]] autotrace_export_counts final_counts_ = {};
  std::string payload_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_LIVE_EXPORTER_H_
