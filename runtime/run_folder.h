// The folder of one launch below AUTOTRACE_DIR, shared by the processes that it forks and executes
// through the environment variable AUTOTRACE_RUN. At start and on the background thread only.
#ifndef AUTOTRACE_RUNTIME_RUN_FOLDER_H_
#define AUTOTRACE_RUNTIME_RUN_FOLDER_H_

#include <stdint.h>

#include <string>
#include <vector>

namespace autotrace {

struct RunFolder {
  std::string path;    // absolute; empty when there is none
  bool first = false;  // this process began the launch
  std::string error;   // why there is none: one line
  std::string made;    // the outermost folder that the launch made; empty: only its own
};

// Joins the launch that AUTOTRACE_RUN names when that folder lies in `dir` and belongs to this
// user, else begins one below `dir` (made when missing) and sets the variable; and
// AUTOTRACE_RUN_MADE, for who removes the folder.
RunFolder OpenRunFolder(const std::string& dir);

// mkdir -p, private to the user where a folder is made. `made`, if not null: the outermost folder
// that was.
bool MakeFolders(const std::string& path, std::string* made = nullptr);

// Removes the folder of a launch that left nothing in it, and those above it that the launch made
// and that are empty.
void RemoveIfEmpty(const RunFolder& run);

// Removes the oldest ended runs below `dir` so that `keep` remain, and as many of those that are
// there to be sent (spools). Only folders that are named like runs and hold nothing but our files.
void PruneRuns(const std::string& dir, uint32_t keep, const std::string& current);
// Its two halves. Runs that may still be recorded to are left alone by the second.
std::vector<std::string> RunsToPrune(const std::string& dir, uint32_t keep,
                                     const std::string& current);
// Bytes of segments that were to be sent and are gone with it; 0: none, or the run stays.
uint64_t RemoveRun(const std::string& path);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_RUN_FOLDER_H_
