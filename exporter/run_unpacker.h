// Makes the folder of a packed run again, for who has to write into it (`autotracer push`).
#ifndef AUTOTRACE_EXPORTER_RUN_UNPACKER_H_
#define AUTOTRACE_EXPORTER_RUN_UNPACKER_H_

#include <string>

#include "absl/status/statusor.h"
#include "exporter/run_reader.h"

namespace autotrace::exporter {

// The folder stands beside the pack, which is removed when everything is on disk. Returns its path.
// DataLoss when the pack is damaged, AlreadyExists when the folder is there, Aborted when somebody
// else unpacks it. After an error the pack is as it was.
absl::StatusOr<std::string> UnpackRun(const Run& run);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RUN_UNPACKER_H_
