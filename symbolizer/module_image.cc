#include "symbolizer/module_image.h"

namespace autotrace::symbolizer {
namespace {

// Smaller ones may stay in memory.
constexpr size_t kLargeFile = size_t{16} << 20;

}  // namespace

bool ModuleImage::Map(const char* path, const char* debug_directory) {
  char real_path[kMaxPath];
  if (!file_.Map(path, real_path, sizeof(real_path))) return false;
  if (!elf_.Parse(file_.bytes())) {
    file_.Unmap();
    return false;
  }
  const bool has_symbols = symbols_.Attach(elf_, SHT_SYMTAB);
  // Compressed sections count as present: what was moved away is what a debug file can hold.
  const bool has_debug_info = debug_info_.Attach(elf_) || elf_.FindSection(".debug_info") != 0;
  if (has_symbols && has_debug_info) return true;

  const bool has_debug_file =
      MapSeparateDebugFile(elf_, real_path, debug_directory, &debug_file_, &debug_elf_);
  if (has_debug_file && !has_debug_info) debug_info_.Attach(debug_elf_);
  if (!has_symbols && !(has_debug_file && symbols_.Attach(debug_elf_, SHT_SYMTAB))) {
    symbols_.Attach(elf_, SHT_DYNSYM);
  }
  return true;
}

bool ModuleImage::FindFunction(uint64_t address, Symbol* symbol) const {
  bool read_all = false;
  const bool found = symbols_.Find(address, symbol, &read_all);
  if (read_all) {
    ReleaseLargeFiles();
    pages_.Forget();
  }
  if (found) LimitResidentPages(symbol->name);
  return found;
}

void ModuleImage::LimitResidentPages(std::string_view name) const {
  if (name.empty()) return;
  const std::string_view file = file_.bytes();
  const std::string_view debug_file = debug_file_.bytes();
  const size_t offset = static_cast<size_t>(name.data() - file.data());
  const size_t debug_offset = static_cast<size_t>(name.data() - debug_file.data());
  // One count for both: only one of them has the names.
  if (pages_.Read(offset < file.size() ? offset : debug_offset)) ReleaseLargeFiles();
}

void ModuleImage::ReleaseQuietPages() const {
  if (pages_.IsQuiet()) ReleaseLargeFiles();
}

void ModuleImage::ReleaseLargeFiles() const {
  for (const MappedFile* file : {&file_, &debug_file_}) {
    if (file->bytes().size() >= kLargeFile) file->ReleasePages();
  }
}

bool ModuleImage::FindFacts(uint64_t address, FunctionFacts* facts, bool* is_certain) {
  return debug_info_.FindFacts(address, facts, is_certain);
}

void ModuleImage::ForEachFunction(void (*visit)(void* context, const Symbol& symbol),
                                  void* context) const {
  symbols_.ForEachFunction(visit, context);
}

bool ModuleImage::references_hooks() const {
  constexpr std::string_view kEnterHook = "__cyg_profile_func_enter";
  if (symbols_.Mentions(kEnterHook)) return true;
  SymbolTable dynamic;
  return dynamic.Attach(elf_, SHT_DYNSYM) && dynamic.Mentions(kEnterHook);
}

}  // namespace autotrace::symbolizer
