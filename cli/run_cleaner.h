// Removes recorded runs, and the rings of dead processes whose runs are gone.
//
// Deletes with care: only folders that are surely runs, only what lies directly in them, never
// through a symbolic link, never a run or a ring that may still be in use.
#ifndef AUTOTRACE_CLI_RUN_CLEANER_H_
#define AUTOTRACE_CLI_RUN_CLEANER_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "exporter/run_reader.h"

namespace autotrace::cli {

struct CleanRule {
  bool all = false;
  uint64_t keep = 10;             // the newest; not looked at with `all`
  uint64_t older_than_nanos = 0;  // 0: whatever their age
  uint64_t now_unix_nanos = 0;
};

// Which of `runs` (oldest first) the rule removes. Running ones stay and count as kept.
std::vector<exporter::Run> RunsToRemove(const std::vector<exporter::Run>& runs,
                                        const CleanRule& rule);

// Removes the run's folder, its pack, and its processes' rings. FailedPrecondition when the folder
// holds something that no run has: it then stays whole.
absl::Status RemoveRun(const exporter::Run& run);

// Removes the folders in `dir` that are named like runs, are empty, and were not made just now.
// Returns how many.
uint64_t RemoveEmptyRuns(const std::string& dir, uint64_t now_unix_nanos);

// Rings in `folder` that belong to this user, whose process is gone and whose run is too. `folder`
// is /dev/shm but for tests.
std::vector<std::string> OrphanedRings(const std::string& folder, uint64_t now_unix_nanos);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_RUN_CLEANER_H_
