#include "symbolizer/source_locator.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/function_name.h"
#include "symbolizer/mapped_file.h"
#include "symbolizer/module_image.h"
#include "symbolizer/scope_name.h"
#include "symbolizer/separate_debug_file.h"
#include "symbolizer/source_functions.h"

namespace autotrace::symbolizer {
namespace {

struct DwarfCloser {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};
using DwarfPointer = std::unique_ptr<Dwarf, DwarfCloser>;

bool HasDebugInfo(const ElfFile& elf) {
  return elf.FindSection(".debug_info") != 0 || elf.FindSection(".zdebug_info") != 0;
}

// Keeps no descriptor: in a live program it would be one more for the program to trip over.
DwarfPointer OpenDwarf(const char* path) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  DwarfPointer dwarf(dwarf_begin(descriptor, DWARF_C_READ));
  if (dwarf != nullptr && elf_cntl(dwarf_getelf(dwarf.get()), ELF_C_FDREAD) != 0) dwarf = nullptr;
  close(descriptor);
  return dwarf;
}

std::string LinkageName(Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(function, name, &attribute) == nullptr) continue;
    const char* text = dwarf_formstring(&attribute);
    if (text != nullptr) return text;
  }
  return {};
}

// libdw puts the compilation directory before some relative paths only.
std::string AbsolutePath(const char* path, Dwarf_Die* unit) {
  if (path == nullptr) return {};
  Dwarf_Attribute attribute;
  const char* directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
  if (path[0] == '/' || directory == nullptr) return path;
  return absl::StrCat(directory, "/", path);
}

int VersionOf(Dwarf_CU* unit) {
  Dwarf_Half version = 0;
  dwarf_cu_info(unit, &version, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  return version;
}

// Not by dwarf_decl_file, which takes file 0 for none, in DWARF 5 too.
std::string DeclarationFile(Dwarf_Die* entry) {
  Dwarf_Attribute attribute;
  Dwarf_Word number;
  Dwarf_Die unit;
  Dwarf_Files* files;
  size_t count;
  if (dwarf_attr_integrate(entry, DW_AT_decl_file, &attribute) == nullptr ||
      dwarf_formudata(&attribute, &number) != 0 ||
      // The number counts in the unit that the attribute stands in.
      dwarf_cu_die(attribute.cu, &unit, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) ==
          nullptr ||
      dwarf_getsrcfiles(&unit, &files, &count) != 0 || number >= count) {
    return {};
  }
  // Before DWARF 5, number 0 is none, and libdw calls it "???".
  if (number == 0 && VersionOf(attribute.cu) < 5) return {};
  return AbsolutePath(dwarf_filesrc(files, number, nullptr, nullptr), &unit);
}

}  // namespace

class SourceLocator::Impl {
 public:
  Impl(std::string path, std::string build_id, std::string debug_directory)
      : path_(std::move(path)),
        build_id_(std::move(build_id)),
        debug_directory_(std::move(debug_directory)) {}

  bool Matches() {
    Open();
    return matches_;
  }

  SourceLocation Locate(uint64_t address) {
    Open();
    SourceLocation location;
    UnitState* unit = UseUnit(address);
    if (unit != nullptr) {
      Dwarf_Line* line = dwarf_getsrc_die(&unit->entry, address);
      if (line != nullptr) SetLine(line, &unit->entry, &location);
      const Dwarf_Off function = unit->functions->Innermost(address);
      if (function != 0) location.function = FunctionName(function, *unit->functions);
    }
    if (location.function.empty()) location.function = SymbolName(address);
    return location;
  }

  SourceLocation LocateFunction(uint64_t address) {
    Open();
    SourceLocation location;
    UnitState* unit = UseUnit(address);
    const Dwarf_Off offset = unit == nullptr ? 0 : unit->functions->StartingAt(address);
    Dwarf_Die entry;
    if (offset != 0 && dwarf_offdie(dwarf_.get(), offset, &entry) != nullptr) {
      SetDeclaration(entry, *unit->functions, &location);
      location.function = FunctionName(offset, *unit->functions);
    } else {
      location.function = SymbolName(address);
    }
    return location;
  }

 private:
  struct UnitState {
    Dwarf_Die entry;
    std::unique_ptr<SourceFunctions> functions;
  };
  struct UnitRange {
    uint64_t start;
    uint64_t end;
    Dwarf_Off unit;
  };

  void Open() {
    if (opened_) return;
    opened_ = true;
    if (!image_.Map(path_.c_str(), debug_directory_.c_str())) return;
    if (!build_id_.empty() && image_.build_id() != build_id_) return;
    matches_ = true;
    OpenDebugInfo();
    if (dwarf_ != nullptr) ListUnits();
  }

  void OpenDebugInfo() {
    MappedFile file;
    ElfFile elf;
    std::string real_path(kMaxPath, '\0');
    if (!file.Map(path_.c_str(), real_path.data(), real_path.size()) || !elf.Parse(file.bytes())) {
      return;
    }
    for (size_t i = 1; i < elf.section_count(); ++i) {
      const Elf64_Shdr section = elf.Section(i);
      if ((section.sh_flags & SHF_EXECINSTR) == 0) continue;
      code_.emplace_back(section.sh_addr, section.sh_addr + section.sh_size);
    }
    if (HasDebugInfo(elf)) {
      dwarf_ = OpenDwarf(path_.c_str());
      return;
    }
    MappedFile debug_file;
    ElfFile debug_elf;
    std::string debug_path(kMaxPath, '\0');
    if (MapSeparateDebugFile(elf, real_path.c_str(), debug_directory_.c_str(), &debug_file,
                             &debug_elf, debug_path.data())) {
      dwarf_ = OpenDwarf(debug_path.c_str());
    }
  }

  void ListUnits() {
    Dwarf_CU* unit = nullptr;
    Dwarf_Die entry;
    uint8_t type;
    while (dwarf_get_units(dwarf_.get(), unit, &unit, nullptr, &type, &entry, nullptr) == 0) {
      if (type != DW_UT_compile) continue;
      Dwarf_Addr base, start, end;
      for (ptrdiff_t at = 0; (at = dwarf_ranges(&entry, at, &base, &start, &end)) > 0;) {
        if (start < end && IsCode(start)) ranges_.push_back({start, end, dwarf_dieoffset(&entry)});
      }
    }
    std::sort(ranges_.begin(), ranges_.end(),
              [](const UnitRange& a, const UnitRange& b) { return a.start < b.start; });
  }

  // Not so for code that the linker left out, whose addresses are 0 or 1.
  bool IsCode(uint64_t address) const {
    return std::any_of(code_.begin(), code_.end(), [address](const auto& section) {
      return section.first <= address && address < section.second;
    });
  }

  UnitState* UseUnit(uint64_t address) {
    auto range = std::upper_bound(
        ranges_.begin(), ranges_.end(), address,
        [](uint64_t wanted, const UnitRange& candidate) { return wanted < candidate.start; });
    if (range == ranges_.begin()) return nullptr;
    --range;
    if (address >= range->end) return nullptr;
    UnitState& unit = units_[range->unit];
    if (unit.functions == nullptr) {
      if (dwarf_offdie(dwarf_.get(), range->unit, &unit.entry) == nullptr) return nullptr;
      unit.functions = std::make_unique<SourceFunctions>(unit.entry);
    }
    return &unit;
  }

  static void SetLine(Dwarf_Line* line, Dwarf_Die* unit, SourceLocation* location) {
    int number = 0;
    location->file = AbsolutePath(dwarf_linesrc(line, nullptr, nullptr), unit);
    if (dwarf_lineno(line, &number) == 0) location->line = static_cast<uint32_t>(number);
  }

  void SetDeclaration(Dwarf_Die function, const SourceFunctions& functions,
                      SourceLocation* location) {
    location->file = DeclarationFile(&function);
    Dwarf_Die declaration = function;
    if (location->file.empty()) {
      const Dwarf_Off around = functions.ClassAround(dwarf_dieoffset(Abstract(&declaration)));
      if (around == 0 || dwarf_offdie(dwarf_.get(), around, &declaration) == nullptr) return;
      location->file = DeclarationFile(&declaration);
    }
    int line = 0;
    if (dwarf_decl_line(&declaration, &line) == 0) location->line = static_cast<uint32_t>(line);
  }

  // Turns an inlined call or an instance into the abstract function it is one of; leaves others.
  static Dwarf_Die* Abstract(Dwarf_Die* entry) {
    Dwarf_Attribute attribute;
    Dwarf_Die origin;
    if (dwarf_attr(entry, DW_AT_abstract_origin, &attribute) != nullptr &&
        dwarf_formref_die(&attribute, &origin) != nullptr) {
      *entry = origin;
    }
    return entry;
  }

  const std::string& FunctionName(Dwarf_Off offset, const SourceFunctions& functions) {
    const auto [found, is_new] = names_.try_emplace(offset);
    if (is_new) found->second = MakeFunctionName(offset, functions);
    return found->second;
  }

  std::string MakeFunctionName(Dwarf_Off offset, const SourceFunctions& functions) const {
    Dwarf_Die entry;
    if (dwarf_offdie(dwarf_.get(), offset, &entry) == nullptr) return {};
    const std::string linkage_name = LinkageName(&entry);
    if (!linkage_name.empty()) return QualifiedName(linkage_name);
    // GCC gives functions that are local to a file no linkage name here. If one stands on its own
    // as well, the symbol there has its name.
    Dwarf_Addr start = 0;
    Dwarf_Addr base, end;
    if (dwarf_tag(&entry) == DW_TAG_subprogram) {
      dwarf_ranges(&entry, 0, &base, &start, &end);
    } else {
      start = functions.OutOfLineAddress(dwarf_dieoffset(Abstract(&entry)));
    }
    Symbol symbol;
    if (start != 0 && image_.FindFunction(start, &symbol) && symbol.address == start) {
      return QualifiedName(symbol.name);
    }
    return ScopeName(&entry);
  }

  std::string SymbolName(uint64_t address) const {
    Symbol symbol;
    if (matches_ && image_.FindFunction(address, &symbol)) return QualifiedName(symbol.name);
    return absl::StrCat(path_.substr(path_.rfind('/') + 1), "+0x", absl::Hex(address));
  }

  const std::string path_;
  const std::string build_id_;
  const std::string debug_directory_;
  bool opened_ = false;
  bool matches_ = false;
  ModuleImage image_;
  DwarfPointer dwarf_;
  std::vector<std::pair<uint64_t, uint64_t>> code_;  // executable sections
  std::vector<UnitRange> ranges_;                    // by start
  absl::flat_hash_map<Dwarf_Off, UnitState> units_;
  absl::flat_hash_map<Dwarf_Off, std::string> names_;
};

SourceLocator::SourceLocator(std::string path, std::string build_id, std::string debug_directory)
    : impl_(std::make_unique<Impl>(std::move(path), std::move(build_id),
                                   std::move(debug_directory))) {}
SourceLocator::~SourceLocator() = default;

SourceLocation SourceLocator::Locate(uint64_t address) { return impl_->Locate(address); }
SourceLocation SourceLocator::LocateFunction(uint64_t address) {
  return impl_->LocateFunction(address);
}
bool SourceLocator::matches() { return impl_->Matches(); }

}  // namespace autotrace::symbolizer
