// Passes blocks to libautotrace-cpp-export.so, which is loaded only here and only when spans are to
// leave the program live. Background thread only, apart from IsSupported.
#ifndef AUTOTRACE_RUNTIME_LIVE_EXPORTER_H_
#define AUTOTRACE_RUNTIME_LIVE_EXPORTER_H_

#include <string>

#include "exporter/export_abi.h"
#include "runtime/block_sink.h"

namespace autotrace {

class LiveExporter final : public BlockSink {
 public:
  // False in static programs, which load nothing (record_only/live_exporter.cc): they record only.
  static bool IsSupported();

  // `config_yaml` with secrets. Logs why when it cannot work; ok() is then false.
  explicit LiveExporter(const std::string& config_yaml);

  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override;
  bool Flush(uint64_t timeout_nanos) override;
  void Close(uint64_t timeout_nanos) override;

  bool ok() const { return exporter_ != nullptr; }
  uint64_t dropped_spans() const {
    return exporter_ == nullptr ? dropped_ : dropped_of_(exporter_);
  }

 private:
  autotrace_exporter* exporter_ = nullptr;
  autotrace_export_block_t block_ = nullptr;
  autotrace_export_flush_t flush_ = nullptr;
  autotrace_export_dropped_t dropped_of_ = nullptr;
  autotrace_export_close_t close_ = nullptr;
  uint64_t dropped_ = 0;  // after Close
  std::string payload_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_LIVE_EXPORTER_H_
