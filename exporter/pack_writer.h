// Writes a packed run (pack_format.h), member after member.
//
//   PackWriter writer(file.get(), level);
//   writer.Begin();
//   for (...) writer.AddMember(name, &source);
//   writer.Finish("20260801-142233.123456-4711");
//
// Memory: a few frames, whatever the members' sizes.
#ifndef AUTOTRACE_EXPORTER_PACK_WRITER_H_
#define AUTOTRACE_EXPORTER_PACK_WRITER_H_

#include <stdint.h>

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "exporter/byte_source.h"
#include "exporter/pack_format.h"

namespace autotrace::exporter {

// zstd's levels; higher ones take longer and make smaller packs.
inline constexpr int kLeastPackLevel = 1;
inline constexpr int kMostPackLevel = 19;
inline constexpr int kUsualPackLevel = 9;

// After an error nothing more is to be written. Errors are those of writing, without the file's
// name. Not thread-safe.
class PackWriter {
 public:
  // Does not own the descriptor, which is at the file's start. `advance`: told how many more bytes
  // of members were packed.
  PackWriter(int file, int level, std::function<void(uint64_t bytes)> advance = {});

  absl::Status Begin();
  // `name`: at most kMaxMemberName bytes. Segments (".seg") are cut between blocks where that goes.
  absl::Status AddMember(const std::string& name, ByteSource* source);
  // InvalidArgument when there are more members than a directory holds.
  absl::Status Finish(std::string_view run_name);

 private:
  absl::Status WriteFrame(FrameKind kind, const std::string& name, uint64_t offset,
                          std::string_view bytes);

  const int file_;
  const int level_;
  const std::function<void(uint64_t bytes)> advance_;
  std::string directory_;  // entries
  uint32_t members_ = 0;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_WRITER_H_
