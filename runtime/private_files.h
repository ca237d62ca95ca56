// Files and folders that only this user can read, whatever the umask, in folders where others may
// have put links and pipes in the way. At start and on the background thread only.
#ifndef AUTOTRACE_RUNTIME_PRIVATE_FILES_H_
#define AUTOTRACE_RUNTIME_PRIVATE_FILES_H_

#include <sys/types.h>

#include <string>

namespace autotrace {

// Makes a folder (0700). False, with errno, when something is there already or it cannot be made.
bool MakePrivateFolder(const std::string& path);

// Makes a file (0600) and opens it with these flags besides; `name` is relative to `folder`, a
// descriptor. -1, with errno, when something is there already, be it a link.
int MakePrivateFile(int folder, const std::string& name, int flags);

// Opens a folder that is this user's and no link, for naming files in it (O_PATH). -1, with errno.
int OpenOwnFolder(const std::string& path);

// Is it a folder, no link, and this user's?
bool IsOwnFolder(const std::string& path);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_PRIVATE_FILES_H_
