// The function symbols of an ELF file, searched in place by address.
//
// Two indexes, each made when first needed, in pages of its own and out of symbol numbers only (4
// bytes each), so that a binary of 300,000 functions costs a few megabytes and a few milliseconds:
// a hash table by start address, and a list sorted by address for addresses inside functions.
// Lookups are async-signal-safe and may run on several threads at once: threads that need the same
// index at the same time each build one, and the first to finish has its kept.
#ifndef AUTOTRACE_SYMBOLIZER_SYMBOL_TABLE_H_
#define AUTOTRACE_SYMBOLIZER_SYMBOL_TABLE_H_

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string_view>

#include "symbolizer/elf_file.h"

namespace autotrace::symbolizer {

// Addresses here are link-time ones: run-time address minus the module's load bias.
struct Symbol {
  std::string_view name;  // the linker's (mangled) name; points into the mapping
  uint64_t address = 0;
  uint64_t size = 0;  // 0 when the table does not say
};

class SymbolTable {
 public:
  SymbolTable() = default;
  SymbolTable(const SymbolTable&) = delete;
  SymbolTable& operator=(const SymbolTable&) = delete;
  ~SymbolTable();

  // Uses the table of this type (SHT_SYMTAB or SHT_DYNSYM). False when the file has none with
  // entries. The file's bytes must outlive this object.
  bool Attach(const ElfFile& elf, uint32_t type);

  // The function that starts at `address`, else the one that contains it. Sets *read_all when it
  // read the whole table, which happens when it made an index.
  bool Find(uint64_t address, Symbol* symbol, bool* read_all) const;

  void ForEachFunction(void (*visit)(void* context, const Symbol& symbol), void* context) const;

  // Is there a symbol of this name, defined or not? A version after '@' in the table is ignored.
  bool Mentions(std::string_view name) const;

 private:
  struct Index;  // a header and its entries, in one mapping

  bool IsFunction(const Elf64_Sym& symbol) const;
  Elf64_Sym At(uint32_t index) const;
  Symbol Describe(const Elf64_Sym& symbol) const;
  size_t CountFunctions() const;
  bool Contains(uint32_t position, const Index& sorted, uint64_t address) const;

  bool FindStart(uint64_t address, Symbol* symbol, bool* read_all) const;
  bool FindContaining(uint64_t address, Symbol* symbol, bool* read_all) const;
  const Index* UseIndex(std::atomic<Index*>* published, Index* (SymbolTable::*build)() const,
                        bool* read_all) const;
  Index* BuildHash() const;
  Index* BuildSorted() const;

  ElfFile elf_;
  std::string_view symbols_;
  std::string_view names_;
  uint32_t count_ = 0;
  mutable std::atomic<Index*> hash_{nullptr};
  mutable std::atomic<Index*> sorted_{nullptr};
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_SYMBOL_TABLE_H_
