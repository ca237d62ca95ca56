#include "exporter/process_liveness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>

#include "exporter/file_access.h"

namespace autotrace::exporter {

uint64_t KernelStartTime(uint64_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const FileHandle file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return 0;
  std::string text(1024, '\0');
  text.resize(ReadAt(file.get(), 0, text.data(), text.size()));
  // The command's name, in parentheses, may hold anything. Field 3 follows it.
  size_t position = text.rfind(')');
  if (position == std::string::npos || position + 2 >= text.size()) return 0;
  const char state = text[position + 2];
  if (state == 'Z' || state == 'X') return 0;  // ended, and waits for its parent to notice
  for (int field = 2; field < 22; ++field) {
    position = text.find(' ', position + 1);
    if (position == std::string::npos) return 0;
  }
  return strtoull(text.c_str() + position, nullptr, 10);
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

bool IsBeingWritten(const std::string& segment_path) {
  const FileHandle file(open(segment_path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  return file.get() >= 0 && flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace autotrace::exporter
