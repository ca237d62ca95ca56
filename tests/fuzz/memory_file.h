// A file without a folder for those who read foreign bytes through a descriptor or a path: one for
// the whole process, with new contents for each input.
#ifndef AUTOTRACE_TESTS_FUZZ_MEMORY_FILE_H_
#define AUTOTRACE_TESTS_FUZZ_MEMORY_FILE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_target.h"

namespace autotrace::fuzz {

class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    Require(descriptor_ >= 0, "memfd_create works");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }

  void Set(std::string_view content) const {
    const auto size = static_cast<ssize_t>(content.size());
    Require(ftruncate(descriptor_, size) == 0 &&
                pwrite(descriptor_, content.data(), content.size(), 0) == size,
            "the memory file can be written");
  }
  int descriptor() const { return descriptor_; }
  // A symbolic link, as the kernel shows it.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  const int descriptor_;
};

}  // namespace autotrace::fuzz

#endif  // AUTOTRACE_TESTS_FUZZ_MEMORY_FILE_H_
