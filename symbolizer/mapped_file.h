// A file mapped for reading, by raw system calls: async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_MAPPED_FILE_H_
#define AUTOTRACE_SYMBOLIZER_MAPPED_FILE_H_

#include <stddef.h>

#include <string_view>

namespace autotrace::symbolizer {

class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Maps all of a regular, non-empty file. When `real_path` is given, writes the path that the
  // kernel knows the file by (links resolved; `path` itself when /proc is not there), cut to its
  // capacity and NUL-terminated. False, and nothing mapped, when that is not possible.
  bool Map(const char* path, char* real_path = nullptr, size_t real_path_capacity = 0);
  void Unmap();
  // Gives back the memory that the pages read so far take; they are read again when needed. Any
  // thread, whatever others read meanwhile.
  void ReleasePages() const;

  // Valid until Unmap or destruction. The mapping does not notice that the file is replaced, but a
  // file cut short by somebody else ends the process by SIGBUS when touched beyond its new end.
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_MAPPED_FILE_H_
