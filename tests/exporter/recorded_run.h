// A recorded run in a folder of its own, made of synthetic segments and rings.
#ifndef AUTOTRACE_TESTS_EXPORTER_RECORDED_RUN_H_
#define AUTOTRACE_TESTS_EXPORTER_RECORDED_RUN_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/process_liveness.h"
#include "exporter/run_files.h"
#include "exporter/run_reader.h"
#include "tests/exporter/collecting_sink.h"
#include "tests/exporter/stream_builder.h"
#include "tests/support/test_files.h"

namespace autotrace::testing {

inline constexpr char kRunName[] = "20260801-142233.123456-4711";

class RecordedRun {
 public:
  // Fields of a process that died (or, `running`, of this very one), whose ring is in the folder.
  ProcessFields Fields(bool running = false) const {
    ProcessFields fields;
    if (running) {
      fields.pid = static_cast<uint64_t>(getpid());
      fields.kernel_start_time = exporter::KernelStartTime(fields.pid);
    }
    fields.ring_path = ring_path();
    return fields;
  }
  std::string ring_path() const { return folder_.path() + "/ring"; }
  std::string path() const { return folder_.path() + "/" + kRunName; }
  std::string SegmentPath(const ProcessFields& fields, uint32_t index) const {
    return path() + "/" + exporter::SegmentName({fields.pid, fields.process_key}, index);
  }

  void AddSegment(const StreamBuilder& stream, uint32_t index) const {
    AddFile(exporter::SegmentName({stream.fields().pid, stream.fields().process_key}, index),
            stream.Segment(index));
  }
  void AddFile(std::string_view name, std::string_view content) const {
    folder_.Write(std::string(kRunName) + "/" + std::string(name), content);
  }
  void SetRing(const RingBuilder& ring) const { folder_.Write("ring", ring.Build()); }
  bool HasRing() const { return std::filesystem::exists(ring_path()); }

  absl::StatusOr<exporter::Run> Find() const { return exporter::FindRun(folder_.path(), ""); }

  struct Result {
    absl::Status status;
    CollectingSink sink;
    exporter::ReadStatistics statistics;

    bool Warns(std::string_view text) const {
      for (const std::string& warning : statistics.warnings) {
        if (warning.find(text) != std::string::npos) return true;
      }
      return false;
    }
  };
  Result Read() const {
    Result result;
    absl::StatusOr<exporter::Run> run = Find();
    if (!run.ok()) {
      result.status = run.status();
      return result;
    }
    reader_ = std::make_unique<exporter::RunReader>(*std::move(run));
    result.status = reader_->Read(result.sink);
    result.statistics = reader_->statistics();
    return result;
  }

  const test::TemporaryFolder& folder() const { return folder_; }

 private:
  test::TemporaryFolder folder_;
  mutable std::unique_ptr<exporter::RunReader> reader_;  // spans of the last result point into it
};

}  // namespace autotrace::testing

#endif  // AUTOTRACE_TESTS_EXPORTER_RECORDED_RUN_H_
