// What debug information says of a function: where it was declared, and whether the compiler made
// it. A reader of DWARF 2 to 5 for traced threads, so it allocates pages of its own only, takes no
// lock and checks every offset.
//
// The first question lists the units and which addresses each covers; the first question about a
// unit walks that unit and notes where its functions are. Compressed sections and split DWARF give
// no answers.
#ifndef AUTOTRACE_SYMBOLIZER_DEBUG_INFO_H_
#define AUTOTRACE_SYMBOLIZER_DEBUG_INFO_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string_view>

#include "symbolizer/debug_info_unit.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/page_array.h"

namespace autotrace::symbolizer {

// What debug information says of one function.
struct FunctionFacts {
  // An implicit, inherited or defaulted constructor, destructor or assignment (DW_AT_artificial,
  // DW_AT_defaulted on the declaration). Clang 14 does not tell defaulted ones from others.
  bool compiler_made = false;
  // Declared in this file: directory and name as the line table has them; the name alone may be an
  // absolute path, and the directory may be relative to the compilation directory. Empty: unknown.
  std::string_view directory;
  std::string_view file;
  uint32_t line = 0;
};

class DebugInfo {
 public:
  // `elf`: the file with the debug sections; its bytes must outlive this object. False when it has
  // none that can be read.
  bool Attach(const ElfFile& elf);
  bool available() const { return !sections_.info.empty(); }

  // Facts of the function that starts at `address`; false when there are none, or when another
  // thread is inside this function: then `*is_certain` becomes false.
  bool FindFacts(uint64_t address, FunctionFacts* facts, bool* is_certain = nullptr);
  // In a forked child. There are no facts any more when another thread was inside of FindFacts.
  void AfterFork() { given_up_ = busy_.load(std::memory_order_relaxed); }

 private:
  struct UnitRecord {
    uint64_t offset;  // in .debug_info
    size_t first_function;
    size_t function_count;
    size_t first_enclosed;
    size_t enclosed_count;
    bool in_aranges;
    bool walked;
  };
  struct UnitRange {
    uint64_t start;
    uint64_t end;
    size_t unit;
  };
  struct FunctionRecord {
    uint64_t address;
    uint64_t entry;  // offset in .debug_info
  };
  // A function that does not say where it was declared, and the entry around it, which may: the
  // operator() of a lambda expression and its class.
  struct EnclosedRecord {
    uint64_t entry;
    uint64_t enclosing;
  };
  struct AddressRange {
    uint64_t start;
    uint64_t end;
  };
  struct Description;

  bool Find(uint64_t address, FunctionFacts* facts);

  void ListUnits();
  void ListRangesFromAranges();
  void ListRangesOfOtherUnits();
  void AddUnitRange(uint64_t start, uint64_t end, size_t unit);
  bool IsCode(uint64_t address) const;
  size_t UnitAt(uint64_t info_offset) const;
  const UnitRange* FindUnitRange(uint64_t address) const;

  void WalkUnit(UnitRecord* record);
  void ReadFunction(const Unit& unit, const AbbreviationTable::Entry& entry, uint64_t offset,
                    uint64_t enclosing, ByteReader* reader);
  const FunctionRecord* FindFunction(const UnitRecord& record, uint64_t address) const;
  Unit* UseUnit(size_t index);

  uint64_t FindEnclosing(uint64_t entry) const;
  bool Describe(uint64_t entry, FunctionFacts* facts);
  bool Collect(uint64_t entry, Description* description);

  static constexpr size_t kNone = ~size_t{0};

  DebugSections sections_;
  PageArray<AddressRange> code_;  // executable sections
  PageArray<UnitRecord> units_;   // in the order of .debug_info
  PageArray<UnitRange> unit_ranges_;
  PageArray<FunctionRecord> functions_;  // of one unit after the other, by address
  PageArray<EnclosedRecord> enclosed_;   // of one unit after the other, in the order of entries
  // Declarations may be in another unit than definitions, so two are kept loaded.
  Unit loaded_[2];
  size_t last_used_ = 0;
  bool listed_ = false;
  std::atomic<bool> busy_{false};
  bool given_up_ = false;
};

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_DEBUG_INFO_H_
