// The folder of a run that is packed: which of its files go into the pack, and its removal. What
// run_packer.h is made of.
#ifndef AUTOTRACE_EXPORTER_PACKED_FOLDER_H_
#define AUTOTRACE_EXPORTER_PACKED_FOLDER_H_

#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exporter/file_access.h"

namespace autotrace::exporter {

// What lies beside runs while they are packed or unpacked, "<run>.atpack.1234abcd.packing".
inline constexpr char kPackingSuffix[] = ".packing";
inline constexpr char kRemovingSuffix[] = ".removing";
inline constexpr char kUnpackingSuffix[] = ".unpacking";

// Locks against others that pack, recover or push the run. Not thread-safe.
class PackedFolder {
 public:
  struct File {
    std::string name;
    uint64_t bytes = 0;
    uint64_t inode = 0;
    uint64_t changed_nanos = 0;
    friend bool operator==(const File&, const File&) = default;
  };

  // Aborted when somebody else has a lock.
  static absl::StatusOr<PackedFolder> Open(const std::string& path);

  // Those that go into a pack, by name.
  const std::vector<File>& files() const { return files_; }
  // The name of something that is no file of a run; empty: there is none.
  const std::string& foreign() const { return foreign_; }
  const std::string& path() const { return path_; }
  uid_t owner() const { return owner_; }
  gid_t group() const { return group_; }

  // One of the files, in the folder that was opened, wherever that is by now.
  absl::StatusOr<OpenedFile> OpenFile(const std::string& name) const;

  // Removes the folder if it holds what it did when it was opened. Aborted when it does not:
  // nothing is removed then. OK when it is gone already.
  absl::Status Remove();

 private:
  PackedFolder() = default;
  void List();
  absl::Status LockSentFiles();

  std::string path_;
  FileHandle folder_;
  uid_t owner_ = 0;
  gid_t group_ = 0;
  std::vector<File> files_;
  std::vector<std::string> passing_;  // names of what goes with the folder and into no pack
  std::string foreign_;
  std::vector<FileHandle> locks_;
};

// Removes a folder with all files of a run in it; false when something else is in it, or it is
// locked.
bool RemoveLeftFolder(const std::string& path);

// Removes from `dir` what packing and unpacking that were killed left there; nothing that somebody
// is at work on. Returns how many things that were.
uint64_t RemovePackingLeftovers(const std::string& dir);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACKED_FOLDER_H_
