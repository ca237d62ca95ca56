// Reads the files that a packed run (pack_format.h) holds, unpacked frame by frame.
//
// What is damaged costs the frames that it lies in. Their bytes read as zeros, which the parser of
// segments reports as damage and passes over.
#ifndef AUTOTRACE_EXPORTER_PACK_READER_H_
#define AUTOTRACE_EXPORTER_PACK_READER_H_

#include <stdint.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exporter/byte_source.h"
#include "exporter/pack_scanner.h"

namespace autotrace::exporter {

// Immutable and thread-safe.
class PackReader {
 public:
  // NotFound when there is no such file; InvalidArgument when it is no pack; FailedPrecondition
  // when it is one of another version.
  static absl::StatusOr<std::shared_ptr<const PackReader>> Open(const std::string& path);

  // By name.
  const std::map<std::string, PackMember>& members() const { return contents_.members; }
  // Opens the pack again. NotFound when the pack has no such member, or is gone or another one by
  // now. The source must not outlive the reader.
  absl::StatusOr<std::unique_ptr<ByteSource>> OpenMember(const std::string& name) const;

  const std::string& path() const { return path_; }
  // As it was called when it was packed; empty where that is lost.
  const std::string& run_name() const { return contents_.run_name; }
  uint64_t bytes() const { return bytes_; }  // of the pack
  uid_t owner() const { return owner_; }
  // What is missing, in one line; empty when nothing is known to be. Frames are looked into only
  // when they are read.
  const std::string& damage() const { return damage_; }

 private:
  PackReader() = default;

  std::string path_;
  PackContents contents_;
  uint64_t bytes_ = 0;
  uid_t owner_ = 0;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  std::string damage_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_READER_H_
