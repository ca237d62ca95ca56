// Input: an ELF file, as the loader or a recording names it. Every question that the runtime and
// the readers ask of one is asked, for the first functions of its symbol table and beside them.
#include <string>
#include <vector>

#include "symbolizer/module_image.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"

namespace autotrace::fuzz {
namespace {

using symbolizer::FunctionFacts;
using symbolizer::ModuleImage;
using symbolizer::Symbol;

constexpr size_t kMostAsked = 256;

void AskAbout(uint64_t address, ModuleImage* image) {
  Symbol symbol;
  if (image->FindFunction(address, &symbol)) Touch(symbol.name);
  FunctionFacts facts;
  if (image->FindFacts(address, &facts)) {
    Touch(facts.directory);
    Touch(facts.file);
  }
}

void AskEverything(ModuleImage* image) {
  Touch(image->build_id());
  (void)image->references_hooks();
  (void)image->has_debug_info();
  std::vector<uint64_t> addresses = {0, ~uint64_t{0}, image->first_load_address()};
  image->ForEachFunction(
      [](void* context, const Symbol& symbol) {
        Touch(symbol.name);
        auto* list = static_cast<std::vector<uint64_t>*>(context);
        if (list->size() < kMostAsked) list->push_back(symbol.address);
      },
      &addresses);
  for (const uint64_t address : addresses) {
    AskAbout(address, image);
    AskAbout(address + 1, image);
  }
}

}  // namespace

void TestInput(std::string_view bytes) {
  static const MemoryFile file;
  file.Set(bytes);
  symbolizer::ModuleImage image;
  // No debug files: what a name in .gnu_debuglink leads to would depend on the machine.
  if (image.Map(file.path().c_str(), "/nonexistent")) AskEverything(&image);
}

}  // namespace autotrace::fuzz
