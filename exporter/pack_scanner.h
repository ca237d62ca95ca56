// Finds the frames of a packed run (pack_format.h) by their headers, and its way back after damage.
//
// A pack may come from anywhere: names that no run's file has, frames in disorder, and sizes that
// no writer makes are damage, too.
#ifndef AUTOTRACE_EXPORTER_PACK_SCANNER_H_
#define AUTOTRACE_EXPORTER_PACK_SCANNER_H_

#include <stdint.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "exporter/byte_source.h"
#include "exporter/pack_format.h"

namespace autotrace::exporter {

struct PackedFrame {
  FrameHeader header;
  uint64_t place = 0;  // of the packed bytes in the pack
};

struct PackMember {
  uint64_t size = 0;
  std::vector<PackedFrame> frames;  // by offset; none overlap, all lie within the size
};

struct PackContents {
  std::map<std::string, PackMember> members;  // by name
  std::string run_name;                       // empty where it is lost
  uint64_t damaged_bytes = 0;                 // of the pack
  // The directory is there, and what it names, but for what is damaged.
  bool is_complete = false;
};

// InvalidArgument when this is no pack; FailedPrecondition when it is one of another version.
// Takes time by the pack's size when it is damaged, else by its number of frames.
absl::StatusOr<PackContents> ScanPack(ByteSource& pack);

// The bytes of one frame, unpacked. DataLoss when they are not what was packed.
absl::StatusOr<std::string> ReadFrame(ByteSource& pack, const PackedFrame& frame);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_SCANNER_H_
