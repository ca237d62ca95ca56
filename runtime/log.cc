#include "runtime/log.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace autotrace {
namespace {

dev_t stderr_device = 0;
ino_t stderr_inode = 0;

bool StderrIsStillOurs() {
  struct stat status;
  return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == stderr_device &&
         status.st_ino == stderr_inode;
}

}  // namespace

void InitializeLog() {
  struct stat status;
  if (fstat(STDERR_FILENO, &status) != 0) return;
  stderr_device = status.st_dev;
  stderr_inode = status.st_ino;
}

void Log(std::string_view message) { LogParts({message}); }

void LogParts(std::initializer_list<std::string_view> parts) {
  if (!StderrIsStillOurs()) return;
  constexpr size_t kMost = 8;
  iovec line[kMost];
  int count = 0;
  const auto add = [&](std::string_view text) {
    if (count < static_cast<int>(kMost)) {
      line[count++] = {const_cast<char*>(text.data()), text.size()};
    }
  };
  add("autotrace: ");
  for (const std::string_view part : parts) add(part);
  add("\n");
  [[maybe_unused]] const ssize_t written = writev(STDERR_FILENO, line, count);
}

bool StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace autotrace
