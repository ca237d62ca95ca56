// A copy of what a ring holds, taken from its file while the traced process may be writing to it,
// or after it died. docs/trace-format.md has the protocol.
#ifndef AUTOTRACE_EXPORTER_RING_SNAPSHOT_H_
#define AUTOTRACE_EXPORTER_RING_SNAPSHOT_H_

#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/described_process.h"

namespace autotrace::exporter {

// What a file must say of itself before it is believed to be the ring of a process.
struct RingIdentity {
  std::string path;
  uint64_t process_key = 0;
  uint64_t pid = 0;
  uint64_t kernel_start_time = 0;
  uid_t owner = 0;
};

struct RingChunk {
  uint32_t thread_index = 0;
  uint32_t chunk_sequence = 0;
  std::string records;     // whole ones, from the chunk's start
  bool damaged = false;    // something that is no record follows them
  uint64_t not_after = 0;  // ticks that dates the records, as RecordsHeader.ticks
  uint64_t tid = 0;        // of its thread
};

struct RingSnapshot {
  Counters counters{};
  std::string metadata;  // block streams
  std::string open_frames;
  std::vector<RingChunk> chunks;  // by thread, then in order
  // Payloads of kModule records. Of more chunks than there are above, if need be: what the records
  // of one speak of may have been told in another one.
  std::vector<std::string> modules;
  uint64_t size = 0;  // of the file
  uint64_t device = 0;
  uint64_t inode = 0;
};

// NotFound when there is no such file; FailedPrecondition when it is another one's or something
// else; DataLoss when its header makes no sense.
absl::StatusOr<RingSnapshot> CopyRing(const RingIdentity& identity);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RING_SNAPSHOT_H_
