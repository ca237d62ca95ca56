#include "runtime/orphaned_rings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "runtime/block_stream.h"
#include "runtime/process_facts.h"

namespace autotrace {
namespace {

constexpr time_t kLongSilence = 60;
constexpr uint64_t kMostMetadata = 1 << 20;

// Names of rings of this user whose process cannot be seen from here.
std::vector<std::string> Candidates(const std::string& own, const std::string& path) {
  std::vector<std::string> names;
  DIR* folder = opendir(path.c_str());
  if (folder == nullptr) return names;
  const std::string prefix = RingNamePrefix("");
  const std::string start = prefix.substr(0, prefix.size() - 1);
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (!name.starts_with(start) || path + "/" + name == own) continue;
    const long pid = strtol(name.c_str() + start.size(), nullptr, 10);
    if (pid > 0 && kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) names.push_back(name);
  }
  closedir(folder);
  return names;
}

template <typename T>
T FieldAt(std::string_view bytes, size_t offset) {
  T value = {};
  if (offset + sizeof(value) <= bytes.size()) memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

std::string ReadPart(int file, uint64_t offset, uint64_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

// A value of the kProcess block, which stands first; empty when it is not there.
std::string_view ProcessValue(std::string_view metadata, format::ProcessKey key) {
  const auto header = FieldAt<format::BlockHeader>(metadata, 0);
  if (header.magic != format::kBlockMagic ||
      header.kind != static_cast<uint16_t>(format::BlockKind::kProcess)) {
    return {};
  }
  std::string_view pairs = metadata.substr(sizeof(header), header.size);
  while (pairs.size() >= 8) {
    const auto size = FieldAt<uint32_t>(pairs, 4);
    const std::string_view value = pairs.substr(8, size);
    if (FieldAt<uint32_t>(pairs, 0) == static_cast<uint32_t>(key)) return value;
    pairs.remove_prefix(std::min(pairs.size(), 8 + PadTo8(size)));
  }
  return {};
}

bool IsOrphaned(int file) {
  using format::RingHeader;
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    return false;
  }
  const time_t now = time(nullptr);
  const std::string header = ReadPart(file, 0, sizeof(RingHeader));
  const auto heartbeat =
      FieldAt<uint64_t>(header, offsetof(RingHeader, heartbeat_unix_nanos)) / 1'000'000'000;
  if (now - std::max(status.st_mtime, static_cast<time_t>(heartbeat)) < kLongSilence) return false;
  // Killed while it was made.
  if (memcmp(header.data(), format::kRingMagic,
             std::min(header.size(), sizeof(format::kRingMagic))) != 0) {
    return FieldAt<uint64_t>(header, 0) == 0;
  }
  if (FieldAt<uint32_t>(header, offsetof(RingHeader, version)) != format::kVersion) return false;
  if (FieldAt<uint32_t>(header, offsetof(RingHeader, finished)) == 1) return true;
  const std::string metadata = ReadPart(
      file, FieldAt<uint64_t>(header, offsetof(RingHeader, metadata_offset)),
      std::min(FieldAt<uint64_t>(header, offsetof(RingHeader, metadata_size)), kMostMetadata));
  if (metadata.empty()) return true;  // killed before it said who it was
  if (ProcessValue(metadata, format::ProcessKey::kHostName) != HostName()) return false;
  const std::string run(ProcessValue(metadata, format::ProcessKey::kRunPath));
  return !run.empty() && lstat(run.c_str(), &status) != 0 && errno == ENOENT;
}

}  // namespace

bool MayHaveOrphanedRings(const std::string& own, const std::string& folder) {
  return !Candidates(own, folder).empty();
}

void RemoveOrphanedRings(const std::string& own, ForkGate* gate, const std::string& folder) {
  std::vector<std::string> names;
  {
    const ForkGate::Inside inside(gate);
    names = Candidates(own, folder);
  }
  for (const std::string& name : names) {
    const ForkGate::Inside inside(gate);
    const std::string path = folder + "/" + name;
    const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) continue;
    const bool orphaned = IsOrphaned(file);
    close(file);
    if (orphaned) unlink(path.c_str());
  }
}

}  // namespace autotrace
