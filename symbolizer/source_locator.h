// Function, file and line of an address, from debug information through elfutils' libdw.
//
// Reader only: it allocates and takes milliseconds for the first address of a binary, and for the
// first address of each compilation unit. Used by the exporter for call sites and code.*
// attributes. The counterpart for traced threads is module_image.h.
#ifndef AUTOTRACE_SYMBOLIZER_SOURCE_LOCATOR_H_
#define AUTOTRACE_SYMBOLIZER_SOURCE_LOCATOR_H_

#include <stdint.h>

#include <memory>
#include <string>

namespace autotrace::symbolizer {

struct SourceLocation {
  // Innermost function, inlined ones included, as addr2line -f names it, in QualifiedName's form;
  // "module+0xoffset" when there is no symbol.
  std::string function;
  std::string file;   // as the compiler recorded it, made absolute with the compilation directory
  uint32_t line = 0;  // 0: unknown
};

// One binary and its separate debug file, if it has one. Not thread-safe.
class SourceLocator {
 public:
  // Opens lazily. When `build_id` (raw bytes) is not empty and the file's differs, the file is not
  // used, because it has been rebuilt since the run: matches() is then false and every answer is
  // "module+0xoffset". The same goes for a file that cannot be read. `debug_directory` is where
  // separate debug files are looked for, beside the binary's own folder.
  SourceLocator(std::string path, std::string build_id,
                std::string debug_directory = "/usr/lib/debug");
  ~SourceLocator();
  SourceLocator(const SourceLocator&) = delete;
  SourceLocator& operator=(const SourceLocator&) = delete;

  // The instruction at this link-time address. For a call site pass return address - 1.
  SourceLocation Locate(uint64_t address);
  // Where the function that starts at this address is declared (code.file.path, code.line.number),
  // and its name. Without a declaration in debug information file and line are unknown.
  SourceLocation LocateFunction(uint64_t address);

  bool matches();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_SOURCE_LOCATOR_H_
