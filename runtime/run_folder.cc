#include "runtime/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "runtime/clock.h"
#include "runtime/ring.h"

namespace autotrace {
namespace {

constexpr char kRunVariable[] = "AUTOTRACE_RUN";

bool IsOwnFolder(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

// mkdir -p, private to the user where a folder is made.
bool MakeFolders(const std::string& path) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      struct stat status;
      if (stat(part.c_str(), &status) != 0) return false;
    }
    if (at != std::string::npos) ++at;
  }
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Sorts by time: 20261120-101533.123456-4711.
std::string NewRunName() {
  const uint64_t now = UnixNanos();
  const auto seconds = static_cast<time_t>(now / 1'000'000'000u);
  tm utc;
  gmtime_r(&seconds, &utc);
  char name[64];
  const size_t size = strftime(name, sizeof(name), "%Y%m%d-%H%M%S", &utc);
  snprintf(name + size, sizeof(name) - size, ".%06u-%d",
           static_cast<unsigned>(now % 1'000'000'000u / 1000), getpid());
  return name;
}

bool IsRunName(std::string_view name) {
  static constexpr std::string_view kShape = "dddddddd-dddddd.dddddd-d";
  if (name.size() < kShape.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char expected = i < kShape.size() ? kShape[i] : 'd';
    const bool digit = name[i] >= '0' && name[i] <= '9';
    if (expected == 'd' ? !digit : name[i] != expected) return false;
  }
  return true;
}

// Of the process whose files start like this; 0 when the name is not ours.
pid_t ProcessOf(std::string_view file) {
  if (!file.ends_with(".seg") && !file.ends_with(".summary") && !file.ends_with(".lock")) return 0;
  return static_cast<pid_t>(atoi(std::string(file.substr(0, file.find('-'))).c_str()));
}

// The rings of a process whose recording goes away.
void RemoveRings(const std::string& process) {
  const std::string prefix = RingNamePrefix(process);
  DIR* folder = opendir(kRingFolder);
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder)) {
    if (std::string_view(entry->d_name).starts_with(prefix)) {
      unlinkat(dirfd(folder), entry->d_name, 0);
    }
  }
  closedir(folder);
}

// Does the process that this file is of still write? Its pid tells, where it can be seen from here;
// in another PID namespace, the lock that it holds on its latest segment.
bool MayBeWritten(int folder, const std::string& name) {
  if (kill(ProcessOf(name), 0) == 0 || errno == EPERM) return true;
  if (!name.ends_with(".seg")) return false;
  const int file = openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  const bool locked = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(file);
  return locked;
}

}  // namespace

void RemoveRun(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return;
  DIR* folder = fdopendir(descriptor);
  if (folder == nullptr) {
    close(descriptor);
    return;
  }
  std::vector<std::string> files;
  bool removable = true;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const pid_t pid = ProcessOf(name);
    // Something foreign, or a process that may still write: the run stays.
    if (pid <= 0 || MayBeWritten(dirfd(folder), std::string(name))) removable = false;
    files.emplace_back(name);
  }
  if (removable) {
    for (const std::string& file : files) {
      // "<pid>-<key>": the same stands in the name of the ring that a killed process left.
      RemoveRings(file.substr(0, file.find('.')));
      unlinkat(dirfd(folder), file.c_str(), 0);
    }
  }
  closedir(folder);
  if (removable) rmdir(path.c_str());
}

RunFolder OpenRunFolder(const std::string& dir) {
  RunFolder run;
  const char* inherited = getenv(kRunVariable);
  if (inherited != nullptr && inherited[0] == '/') {
    const std::string path = inherited;
    if (path.rfind('/') == dir.size() && path.starts_with(dir) &&
        IsRunName(std::string_view(path).substr(dir.size() + 1)) && IsOwnFolder(path)) {
      run.path = path;
      return run;
    }
  }
  run.first = true;
  const std::string path = dir + "/" + NewRunName();
  if (!MakeFolders(dir) || mkdir(path.c_str(), 0700) != 0) {
    run.error =
        "cannot make " + path + ": " + strerror(errno) + "; set AUTOTRACE_DIR to a writable folder";
    return run;
  }
  run.path = path;
  setenv(kRunVariable, path.c_str(), 1);
  return run;
}

std::vector<std::string> RunsToPrune(const std::string& dir, uint32_t keep,
                                     const std::string& current) {
  std::vector<std::string> runs;
  DIR* folder = opendir(dir.c_str());
  if (folder == nullptr) return runs;
  while (const dirent* entry = readdir(folder)) {
    if (IsRunName(entry->d_name)) runs.emplace_back(entry->d_name);
  }
  closedir(folder);
  std::sort(runs.begin(), runs.end());
  if (runs.size() <= keep) return {};
  runs.resize(runs.size() - std::max(keep, 1u));
  std::vector<std::string> old;
  for (const std::string& run : runs) {
    const std::string path = dir + "/" + run;
    if (path != current && IsOwnFolder(path)) old.push_back(path);
  }
  return old;
}

void PruneRuns(const std::string& dir, uint32_t keep, const std::string& current) {
  for (const std::string& run : RunsToPrune(dir, keep, current)) RemoveRun(run);
}

}  // namespace autotrace
