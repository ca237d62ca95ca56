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
#include "runtime/control_page.h"
#include "runtime/private_files.h"
#include "runtime/ring.h"
#include "runtime/sent_file.h"

namespace autotrace {
namespace {

constexpr char kRunVariable[] = "AUTOTRACE_RUN";
constexpr char kMadeVariable[] = "AUTOTRACE_RUN_MADE";

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

// "<pid>-<key>" of the process whose file is named like this; empty when the name is not ours.
std::string_view ProcessIn(std::string_view file) {
  constexpr size_t kKeyDigits = 16;
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (!file.ends_with(".seg") && !file.ends_with(".summary") && !file.ends_with(".lock") &&
      !file.ends_with(kSentSuffix) && !file.ends_with(kControlSuffix)) {
    return {};
  }
  const size_t dash = file.find_first_not_of(kDigits.substr(0, 10));
  if (dash == 0 || dash > kKeyDigits || dash == std::string_view::npos || file[dash] != '-') {
    return {};
  }
  const size_t end = file.find_first_not_of(kDigits, dash + 1);
  if (end != dash + 1 + kKeyDigits || file[end] != '.') return {};
  return file.substr(0, end);
}

pid_t PidIn(std::string_view file) {
  return static_cast<pid_t>(atoi(std::string(file.substr(0, file.find('-'))).c_str()));
}

// A link that another user has put in the place of the folder.
bool IsForeignLink(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode) && status.st_uid != 0 &&
         status.st_uid != geteuid();
}

// The rings of a process whose recording goes away.
void RemoveRings(std::string_view process) {
  const std::string prefix = RingNamePrefix(std::string(process));
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
// in another PID namespace, the lock that it holds on its latest segment. `autotracer push` holds
// one on the file that says what was sent.
bool MayBeWritten(int folder, const std::string& name) {
  if (kill(PidIn(name), 0) == 0 || errno == EPERM) return true;
  if (!name.ends_with(".seg") && !name.ends_with(kSentSuffix)) return false;
  const int file = openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  const bool locked = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(file);
  return locked;
}

// "<pid>-<process key>" of a file's name.
std::string_view StemOf(std::string_view file) { return file.substr(0, file.find('.')); }

// What a file of a process says of sending: false when it says nothing.
bool ReadSent(int folder, const std::string& name, SentFileContent* content) {
  const std::string_view stem = StemOf(name);
  const uint64_t key = strtoull(std::string(stem.substr(stem.find('-') + 1)).c_str(), nullptr, 16);
  const int file = openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  char bytes[kSentFileBytes];
  const ssize_t got = file < 0 ? -1 : read(file, bytes, sizeof(bytes));
  if (file >= 0) close(file);
  return got > 0 && ParseSentFile({bytes, static_cast<size_t>(got)}, key, content);
}

// A run's folder, opened, if it is this user's.
class OpenedRun {
 public:
  explicit OpenedRun(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    const bool is_own =
        descriptor >= 0 && fstat(descriptor, &status) == 0 && status.st_uid == geteuid();
    folder_ = is_own ? fdopendir(descriptor) : nullptr;
    if (folder_ == nullptr && descriptor >= 0) close(descriptor);
  }
  ~OpenedRun() {
    if (folder_ != nullptr) closedir(folder_);
  }
  OpenedRun(const OpenedRun&) = delete;
  OpenedRun& operator=(const OpenedRun&) = delete;

  bool ok() const { return folder_ != nullptr; }
  // Changed within the last minute.
  bool IsYoung() const {
    struct stat status;
    return fstat(descriptor(), &status) == 0 && time(nullptr) - status.st_mtime < 60;
  }
  int descriptor() const { return dirfd(folder_); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    rewinddir(folder_);
    while (const dirent* entry = readdir(folder_)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
  }
  bool HasSegments() const {
    const std::vector<std::string> names = Names();
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name.ends_with(".seg"); });
  }
  // Bytes of the segments of processes from which something is still to be sent. `only_spools`:
  // that are there for nothing else.
  uint64_t UnsentBytes(bool only_spools) const {
    const std::vector<std::string> names = Names();
    uint64_t bytes = 0;
    for (const std::string& name : names) {
      SentFileContent sent;
      if (!name.ends_with(kSentSuffix) || !ReadSent(descriptor(), name, &sent)) continue;
      if (sent.state.all || (only_spools && !sent.is_spool)) continue;
      for (const std::string& other : names) {
        struct stat status;
        if (other.ends_with(".seg") && StemOf(other) == StemOf(name) &&
            fstatat(descriptor(), other.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
          bytes += static_cast<uint64_t>(status.st_size);
        }
      }
    }
    return bytes;
  }

 private:
  DIR* folder_;
};

}  // namespace

bool MakeFolders(const std::string& path, std::string* made) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (MakePrivateFolder(part)) {
      if (made != nullptr && made->empty()) *made = part;
    } else if (errno != EEXIST) {
      struct stat status;
      if (stat(part.c_str(), &status) != 0) return false;
    }
    if (at != std::string::npos) ++at;
  }
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void RemoveIfEmpty(const RunFolder& run) {
  if (run.path.empty() || rmdir(run.path.c_str()) != 0 || run.made.empty()) return;
  std::string folder = run.path;
  do {
    folder.resize(folder.rfind('/'));
    if (folder.size() < run.made.size() || rmdir(folder.c_str()) != 0) return;
  } while (folder != run.made);
}

uint64_t RemoveRun(const std::string& path) {
  const OpenedRun folder(path);
  if (!folder.ok()) return 0;
  std::vector<std::string> files = folder.Names();
  // Segments go last: if the program ends meanwhile, what is left is a run, or an empty folder.
  std::stable_partition(files.begin(), files.end(),
                        [](const std::string& name) { return !name.ends_with(".seg"); });
  bool removable = true;
  for (const std::string& name : files) {
    // Something foreign, or a process that may still write: the run stays.
    if (ProcessIn(name).empty() || MayBeWritten(folder.descriptor(), name)) removable = false;
  }
  if (!removable) return 0;
  const uint64_t unsent = folder.UnsentBytes(/*only_spools=*/false);
  for (const std::string& file : files) {
    // The same stands in the name of the ring that a killed process left.
    RemoveRings(ProcessIn(file));
    unlinkat(folder.descriptor(), file.c_str(), 0);
  }
  return rmdir(path.c_str()) == 0 ? unsent : 0;
}

RunFolder OpenRunFolder(const std::string& dir) {
  RunFolder run;
  const char* inherited = getenv(kRunVariable);
  if (inherited != nullptr && inherited[0] == '/') {
    const std::string path = inherited;
    if (path.rfind('/') == dir.size() && path.starts_with(dir) &&
        IsRunName(std::string_view(path).substr(dir.size() + 1)) && IsOwnFolder(path)) {
      run.path = path;
      const char* made = getenv(kMadeVariable);
      if (made != nullptr && path.starts_with(std::string(made) + "/")) run.made = made;
      return run;
    }
  }
  run.first = true;
  if (IsForeignLink(dir)) {
    run.error = dir + " is another user's link; set AUTOTRACE_DIR to a folder of your own";
    return run;
  }
  // Another launch that ends may remove the folder in between; where others may write, too, the
  // name may have been taken.
  constexpr int kMostAttempts = 20;
  std::string path;
  bool began = false;
  for (int attempt = 0; attempt < kMostAttempts && !began; ++attempt) {
    path = dir + "/" + NewRunName();
    began = MakeFolders(dir, &run.made) && MakePrivateFolder(path);
    if (!began && errno != ENOENT && errno != EEXIST) break;
  }
  if (!began) {
    run.error =
        "cannot make " + path + ": " + strerror(errno) + "; set AUTOTRACE_DIR to a writable folder";
    return run;
  }
  run.path = path;
  setenv(kRunVariable, path.c_str(), 1);
  if (run.made.empty()) {
    unsetenv(kMadeVariable);
  } else {
    setenv(kMadeVariable, run.made.c_str(), 1);
  }
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
  // Spools do not push recordings out, nor the other way round. What holds nothing is of a process
  // that has recorded nothing so far, and that can make its folder again.
  uint32_t recordings = 0;
  uint32_t spools = 0;
  std::vector<std::string> old;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    const std::string path = dir + "/" + *run;
    const OpenedRun folder(path);
    if (!folder.ok() || (!folder.HasSegments() && folder.IsYoung())) continue;
    const bool is_spool = folder.UnsentBytes(/*only_spools=*/true) > 0;
    const uint32_t rank = !folder.HasSegments() ? keep : is_spool ? spools++ : recordings++;
    if (rank >= std::max(keep, 1u) && path != current) old.push_back(path);
  }
  std::reverse(old.begin(), old.end());
  return old;
}

void PruneRuns(const std::string& dir, uint32_t keep, const std::string& current) {
  for (const std::string& run : RunsToPrune(dir, keep, current)) RemoveRun(run);
}

}  // namespace autotrace
