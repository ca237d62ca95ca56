#include "symbolizer/module_image.h"

namespace autotrace::symbolizer {
namespace {

// Each symbol and each name that is looked at brings 64 KiB of the file around it into memory, if
// the kernel has them: a thousand functions all over a large binary bring all of its names.
constexpr size_t kLargeFile = size_t{16} << 20;
constexpr uint32_t kLookupsUntilRelease = 64;

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
  LimitResidentPages();
  return symbols_.Find(address, symbol);
}

void ModuleImage::LimitResidentPages() const {
  if (file_.bytes().size() < kLargeFile && debug_file_.bytes().size() < kLargeFile) return;
  if (looked_at_.fetch_add(1, std::memory_order_relaxed) % kLookupsUntilRelease !=
      kLookupsUntilRelease - 1) {
    return;
  }
  file_.ReleasePages();
  debug_file_.ReleasePages();
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
