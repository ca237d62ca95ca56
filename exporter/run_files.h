// The files of a run's folder: which belong to which process, and what the first bytes of a segment
// say.
//
//   20260801-142233.123456-4711/                  a run: local time of its start, its first process
//     4711-00c0ffee00c0ffee.000000.seg            a segment: pid, process key, index
//     4711-00c0ffee00c0ffee.000001.seg
//     4711-00c0ffee00c0ffee.sent                  how much of it was sent
//     4711-00c0ffee00c0ffee.summary               text
#ifndef AUTOTRACE_EXPORTER_RUN_FILES_H_
#define AUTOTRACE_EXPORTER_RUN_FILES_H_

#include <stdint.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/byte_source.h"
#include "exporter/pack_reader.h"
#include "exporter/process_info.h"
#include "exporter/ring_snapshot.h"
#include "exporter/run_names.h"
#include "exporter/run_reader.h"

namespace autotrace::exporter {

struct SegmentFile {
  std::string path;
  uint32_t index = 0;
  uint64_t bytes = 0;
  std::shared_ptr<const PackReader> pack = nullptr;  // that it is a member of
};

struct RunFolder {
  std::map<ProcessId, std::vector<SegmentFile>> segments;  // by index
  uint64_t bytes = 0;                                      // of all its files
};

// What a folder holds, by its files' names. Empty when the folder cannot be read.
RunFolder ReadRunFolder(const std::string& folder);
// The same of a pack. `bytes` are those of the pack.
RunFolder ReadPackedFolder(const std::shared_ptr<const PackReader>& pack);
// The segments that a process has now.
std::vector<SegmentFile> SegmentsOf(const ProcessFiles& files);

// A segment whose header was checked.
struct OpenedSegment {
  std::unique_ptr<ByteSource> bytes;
  uid_t owner = 0;
  uint64_t blocks_begin = 0;
  uint32_t index = 0;
};

// NotFound when it is gone or has no header yet; FailedPrecondition when the file is no segment of
// this process or of another version; DataLoss when that part of its pack is damaged.
absl::StatusOr<OpenedSegment> OpenSegment(const SegmentFile& segment, uint64_t process_key);

// The first kProcess block of these segments, and who owns the file it stands in.
struct FoundProcess {
  ProcessInfo info;
  uid_t owner = 0;
};
absl::StatusOr<FoundProcess> FindProcess(const std::vector<SegmentFile>& segments,
                                         uint64_t process_key);

RingIdentity RingOf(const ProcessId& process, const FoundProcess& found);

// Everything about one process but its spans. NotFound when none of the files is a segment of it.
absl::StatusOr<ProcessFiles> DescribeProcess(const ProcessId& process,
                                             const std::vector<SegmentFile>& segments);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RUN_FILES_H_
