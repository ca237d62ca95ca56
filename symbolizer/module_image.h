// A loaded binary's symbols and debug information, mapped from its file and searched in place.
//
// The runtime asks it, on a traced thread and possibly inside the program's own malloc or a signal
// handler, what a function is called, where it was written, and whether the compiler made it. So
// everything here uses raw system calls and its own mappings: no malloc, no lock, no exception, no
// errno change. The same class serves the reader and `autotracer functions`. File and line of a
// call site are the business of source_locator.h, which may allocate.
#ifndef AUTOTRACE_SYMBOLIZER_MODULE_IMAGE_H_
#define AUTOTRACE_SYMBOLIZER_MODULE_IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "symbolizer/debug_info.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/mapped_file.h"
#include "symbolizer/resident_pages.h"
#include "symbolizer/separate_debug_file.h"
#include "symbolizer/symbol_table.h"

namespace autotrace::symbolizer {

class ModuleImage {
 public:
  ModuleImage() = default;
  ModuleImage(const ModuleImage&) = delete;
  ModuleImage& operator=(const ModuleImage&) = delete;

  // Maps the ELF file at `path` and, when it is stripped, its separate debug file (by build id
  // below `debug_directory`/.build-id, else .gnu_debuglink). Uses .symtab, else .dynsym. Returns
  // false when it is no readable ELF file of this machine; the image then answers "unknown" to all.
  // To be called once. Async-signal-safe; uses about 30 KB of stack. Damaged files are survived:
  // every offset is checked.
  bool Map(const char* path, const char* debug_directory = kDebugDirectory);

  // The function that starts at `address`; else the one that contains it; false when there is none.
  // Prefers global over local names and names with a size among aliases. Async-signal-safe, on any
  // number of threads at once. The first call makes an index (about 5 ms for 300,000 functions),
  // the first for an address inside a function another one (about 50 ms).
  bool FindFunction(uint64_t address, Symbol* symbol) const;

  // To be called when the name of a Symbol is looked at again later: now and then it gives back the
  // memory that a large file's pages take. Async-signal-safe.
  void LimitResidentPages(std::string_view name) const;

  // To be called now and then by one thread: gives that memory back when nothing is looked up any
  // more.
  void ReleaseQuietPages() const;

  // Facts of the function that starts at `address`; false when there is no debug information for
  // it. The first question about a compilation unit walks that unit (milliseconds) and remembers
  // what it found. Async-signal-safe. While one thread asks, others get false, and *is_certain says
  // so.
  bool FindFacts(uint64_t address, FunctionFacts* facts, bool* is_certain = nullptr);
  // In a forked child: what another thread was about to find out is given up.
  void AfterFork() { debug_info_.AfterFork(); }

  // Calls visit(context, symbol) for each function symbol, in table order.
  void ForEachFunction(void (*visit)(void* context, const Symbol& symbol), void* context) const;

  // The bytes of NT_GNU_BUILD_ID, empty when there is none.
  std::string_view build_id() const { return elf_.BuildId(); }
  // Does it import or define the instrumentation hooks (__cyg_profile_func_enter)? Reads the whole
  // symbol table on each call.
  bool references_hooks() const;
  // The bytes of the section of this name; empty when there is none, or it is compressed.
  std::string_view SectionContents(std::string_view name) const { return elf_.Contents(name); }
  bool has_debug_info() const { return debug_info_.available(); }
  // The lowest virtual address of a PT_LOAD segment; 0 for most PIEs and libraries.
  uint64_t first_load_address() const { return elf_.FirstLoadAddress(); }

 private:
  void ReleaseLargeFiles() const;

  MappedFile file_;
  ElfFile elf_;
  MappedFile debug_file_;
  ElfFile debug_elf_;
  SymbolTable symbols_;
  DebugInfo debug_info_;
  mutable ResidentPages pages_;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_MODULE_IMAGE_H_
