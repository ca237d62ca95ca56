#include "symbolizer/mapped_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "symbolizer/raw_syscalls.h"

namespace autotrace::symbolizer {
namespace {

// Writes "/proc/self/fd/N"; `out` has room.
void DescriptorPath(int descriptor, char* out) {
  static constexpr char kPrefix[] = "/proc/self/fd/";
  memcpy(out, kPrefix, sizeof(kPrefix) - 1);
  char digits[12];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + descriptor % 10);
    descriptor /= 10;
  } while (descriptor != 0);
  char* end = out + sizeof(kPrefix) - 1;
  while (count > 0) *end++ = digits[--count];
  *end = '\0';
}

void FindRealPath(int descriptor, const char* path, char* out, size_t capacity) {
  char link[32];
  DescriptorPath(descriptor, link);
  const ssize_t length = raw::ReadLinkAt(AT_FDCWD, link, out, capacity - 1);
  if (length > 0 && out[0] == '/') {
    out[length] = '\0';
    return;
  }
  const size_t size = strnlen(path, capacity - 1);
  memcpy(out, path, size);
  out[size] = '\0';
}

}  // namespace

MappedFile::~MappedFile() { Unmap(); }

bool MappedFile::Map(const char* path, char* real_path, size_t real_path_capacity) {
  Unmap();
  // O_NONBLOCK: a FIFO by that name must not make a traced thread wait.
  const int descriptor = raw::OpenAt(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  struct stat status;
  if (raw::Fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    const size_t size = static_cast<size_t>(status.st_size);
    void* data = raw::Mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (!raw::IsError(data)) {
      data_ = static_cast<const char*>(data);
      size_ = size;
      if (real_path != nullptr && real_path_capacity > 0) {
        FindRealPath(descriptor, path, real_path, real_path_capacity);
      }
    }
  }
  raw::Close(descriptor);
  return data_ != nullptr;
}

void MappedFile::ReleasePages() const {
  if (data_ != nullptr) raw::Madvise(data_, size_, MADV_DONTNEED);
}

void MappedFile::Unmap() {
  if (data_ != nullptr) raw::Munmap(const_cast<char*>(data_), size_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace autotrace::symbolizer
