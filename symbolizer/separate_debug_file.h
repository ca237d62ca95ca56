// Finds the file that a stripped binary's symbols and debug information were moved to, where GDB
// and Debian's -dbgsym packages put it:
//   <debug directory>/.build-id/ab/cdef....debug
//   the name in .gnu_debuglink: beside the binary, in .debug/ beside it, below the debug directory
// A file is taken only if it belongs to the binary: same build id, or, when the binary has none,
// the checksum in .gnu_debuglink. Async-signal-safe; uses about 20 KB of stack.
#ifndef AUTOTRACE_SYMBOLIZER_SEPARATE_DEBUG_FILE_H_
#define AUTOTRACE_SYMBOLIZER_SEPARATE_DEBUG_FILE_H_

#include <stddef.h>

#include <string_view>

#include "symbolizer/elf_file.h"
#include "symbolizer/mapped_file.h"

namespace autotrace::symbolizer {

inline constexpr char kDebugDirectory[] = "/usr/lib/debug";
inline constexpr size_t kMaxPath = 4096;

// `binary_path`: absolute, links resolved. On success `file` is mapped, `elf` views it, and
// `found_path`, if given, holds its path (kMaxPath bytes).
bool MapSeparateDebugFile(const ElfFile& binary, const char* binary_path,
                          const char* debug_directory, MappedFile* file, ElfFile* elf,
                          char* found_path = nullptr);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_SEPARATE_DEBUG_FILE_H_
