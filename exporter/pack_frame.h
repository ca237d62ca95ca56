// A frame of a packed run: whole blocks of a block stream, compressed with zstd. Spans become
// columns first (pack_columns.h). What is unpacked is what was packed, byte for byte.
//
//   frame  = method (1 byte) stream*
//   stream = number: its size, number: its compressed size, zstd frame
//
// Method 0: one stream, the bytes as they are; for what is not made of well-formed blocks. Method
// 1: the blocks' layout, the payloads of those that hold no spans, and the columns.
#ifndef AUTOTRACE_EXPORTER_PACK_FRAME_H_
#define AUTOTRACE_EXPORTER_PACK_FRAME_H_

#include <stddef.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "exporter/pack_format.h"

namespace autotrace::exporter {

// `level`: zstd's, 1 to 19. `bytes` are at most kMaxFrameBytes.
std::string PackFrame(std::string_view bytes, int level);

// `size`: of what was packed. DataLoss when the frame does not hold that. What follows it is not
// looked at.
absl::StatusOr<std::string> UnpackFrame(std::string_view frame, size_t size);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_FRAME_H_
