#include "runtime/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

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

void Log(std::string_view message) {
  if (!StderrIsStillOurs()) return;
  std::string line = "autotrace: ";
  line.append(message);
  line += '\n';
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

bool StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace autotrace
