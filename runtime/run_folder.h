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
};

// Joins the launch that AUTOTRACE_RUN names when that folder lies in `dir` and belongs to this
// user, else begins one below `dir` (made when missing) and sets the variable.
RunFolder OpenRunFolder(const std::string& dir);

// Removes the oldest ended runs below `dir` so that `keep` remain. Only folders that are named like
// runs and hold nothing but our files.
void PruneRuns(const std::string& dir, uint32_t keep, const std::string& current);
// Its two halves. Runs that may still be recorded to are left alone by the second.
std::vector<std::string> RunsToPrune(const std::string& dir, uint32_t keep,
                                     const std::string& current);
void RemoveRun(const std::string& path);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_RUN_FOLDER_H_
