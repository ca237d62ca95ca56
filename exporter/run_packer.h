// Packs a run: its folder becomes one file, `autotracer pack`. run_unpacker.h is the way back.
//
// At no moment is the run neither in its folder nor, whole, in its pack. A pack appears under its
// name when it is on disk and was unpacked again and compared; then the folder gets another name
// and goes. Whoever is killed in between leaves a file or a folder that no reader takes for a run
// (packed_folder.h).
#ifndef AUTOTRACE_EXPORTER_RUN_PACKER_H_
#define AUTOTRACE_EXPORTER_RUN_PACKER_H_

#include <stdint.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exporter/pack_writer.h"
#include "exporter/run_reader.h"

namespace autotrace::exporter {

struct PackOptions {
  std::string output;  // path; empty: that of the folder with ".atpack" behind it
  int level = kUsualPackLevel;
  bool keep_folder = false;
  // It is known of all processes that they have ended, also of those on other machines.
  bool all_have_ended = false;
  // Called now and then with bytes done and bytes in all.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct PackedRun {
  std::string path;
  uint64_t files_bytes = 0;  // of what was packed
  uint64_t bytes = 0;        // of the pack
};

// The run is in a folder. Processes that died are recovered first (recover.h). FailedPrecondition
// when a process runs or may run, when what it left cannot be recovered, or when the folder is to
// go and holds something that is no file of a run; Aborted when somebody else is at work on it.
// After an error the folder is as it was.
absl::StatusOr<PackedRun> PackRun(const Run& run, const PackOptions& options);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RUN_PACKER_H_
