#include "runtime/process_facts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/clock.h"

namespace autotrace {

std::string HexDigits(uint64_t value) {
  std::string digits(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 0xf];
  return digits;
}

uint64_t RandomWord() {
  uint64_t word = 0;
  if (getrandom(&word, sizeof(word), GRND_NONBLOCK) == sizeof(word)) return word;
  // Early in a machine's life the kernel may have none yet; uniqueness still matters.
  static uint64_t fallback = 0;
  fallback += Now() * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(getpid());
  return fallback;
}

std::string ReadSmallFile(const char* path) {
  std::string text;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = read(file, buffer, sizeof(buffer));
    if (size <= 0) break;
    text.append(buffer, static_cast<size_t>(size));
  }
  close(file);
  return text;
}

uint64_t KernelStartTime() {
  const std::string stat = ReadSmallFile("/proc/self/stat");
  // The second field is the name in parentheses and may hold anything.
  size_t at = stat.rfind(')');
  if (at == std::string::npos) return 0;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : strtoull(stat.c_str() + at, nullptr, 10);
}

std::string ExecutablePath() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

std::string CommandLine() { return ReadSmallFile("/proc/self/cmdline"); }

std::string HostName() {
  utsname names;
  return uname(&names) == 0 ? names.nodename : "";
}

std::string OsDescription() {
  utsname names;
  if (uname(&names) != 0) return "";
  return std::string(names.sysname) + " " + names.release;
}

}  // namespace autotrace
