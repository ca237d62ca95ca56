// Makes a run independent of the rings of processes that died: what a ring still holds is written
// into the run's folder, and the ring, which takes up memory, is removed.
//
// Reading needs none of this (RunReader reads rings); it keeps what would otherwise be lost with
// the next reboot.
#ifndef AUTOTRACE_EXPORTER_RECOVER_H_
#define AUTOTRACE_EXPORTER_RECOVER_H_

#include "absl/status/status.h"
#include "exporter/run_reader.h"

namespace autotrace::exporter {

// For each process of the run that no longer runs and still has a ring: writes what its segments
// lack into one more segment, and removes the ring once that is on disk. Rings of other machines,
// other users and running processes are left alone. May be called again, or by several at once: the
// run's folder is locked meanwhile (flock). The first error is returned after all processes were
// tried; a process that it happened to is unchanged.
absl::Status RecoverRun(const Run& run);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RECOVER_H_
