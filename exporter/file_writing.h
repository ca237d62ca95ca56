// Writing files that have to be there whole or not at all.
#ifndef AUTOTRACE_EXPORTER_FILE_WRITING_H_
#define AUTOTRACE_EXPORTER_FILE_WRITING_H_

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace autotrace::exporter {

// All of `bytes`, at the descriptor's place. A limit on the size of files is an error like a full
// disk, and no signal. The error's message is what went wrong, without a name.
absl::Status WriteAll(int file, std::string_view bytes);

// What root writes for a run that is somebody's is theirs as well; group -1: not changed. False,
// with errno, when it cannot be given to them.
bool KeepOwner(int file, uid_t owner, gid_t group);

// That what was made, renamed or removed in this folder stays so.
absl::Status SyncFolder(const std::string& path);

// Of a file's path, with the slash: "/var/run/" of "/var/run/x", "./" of "x".
std::string FolderOf(const std::string& path);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_FILE_WRITING_H_
