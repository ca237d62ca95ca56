#include "symbolizer/module_image.h"

#include <elf.h>
#include <string.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <set>
#include <string>

#include "symbolizer/function_name.h"
#include "test_programs.h"
#include "tests/support/test_files.h"

namespace autotrace::symbolizer {
namespace {

using test::TemporaryFolder;
using test::WriteFile;

std::string NameAt(const ModuleImage& image, uint64_t address) {
  Symbol symbol;
  return image.FindFunction(address, &symbol) ? QualifiedName(symbol.name) : "";
}

uint64_t AddressByNm(const std::string& path, const std::string& linker_name,
                     const std::string& options = "") {
  const std::string line = Run("nm " + options + " " + path + " | grep ' " + linker_name + "$'");
  return std::stoull(line, nullptr, 16);
}

TEST_CASE("functions are found in every kind of binary") {
  struct Kind {
    const char* flags;
    bool fixed_address;
  };
  for (const Compiler compiler : {Compiler::kGcc, Compiler::kClang}) {
    for (const Kind& kind : {Kind{"-fPIE -pie", false}, Kind{"-fno-pie -no-pie", true},
                             Kind{"-fPIC -shared", false}, Kind{"-static", true}}) {
      INFO(Name(compiler) << " " << kind.flags);
      const TemporaryFolder folder;
      const std::string path = folder / "names";
      Compile(compiler, std::string("-O0 ") + kind.flags, {"names.cc"}, path);
      ModuleImage image;
      REQUIRE(image.Map(path.c_str()));
      const uint64_t start = AddressByNm(path, "_ZNK3app5Thing6methodEv");
      CHECK(NameAt(image, start) == "app::Thing::method");
      CHECK(NameAt(image, start + 1) == "app::Thing::method");
      CHECK(NameAt(image, start - 1) != "app::Thing::method");
      CHECK((image.first_load_address() != 0) == kind.fixed_address);
      CHECK_FALSE(image.references_hooks());
    }
  }
}

TEST_CASE("every function is found by its start and by an address inside") {
  const TemporaryFolder folder;
  const std::string path = folder / "names";
  Compile(GENERATE(Compiler::kGcc, Compiler::kClang), "-O2", {"names.cc"}, path);
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  const std::vector<Symbol> functions = Functions(image);
  REQUIRE(functions.size() > 40);
  for (const Symbol& function : functions) {
    INFO(function.name);
    Symbol found;
    REQUIRE(image.FindFunction(function.address, &found));
    CHECK(found.address == function.address);
    if (function.size < 2) continue;
    REQUIRE(image.FindFunction(function.address + function.size - 1, &found));
    CHECK(found.address == function.address);
  }
}

TEST_CASE("a stripped binary uses its separate debug file") {
  const TemporaryFolder folder;
  const std::string path = folder / "facts";
  const std::string id = "-Wl,--build-id=0xabcdef0123456789";
  Compile(Compiler::kGcc, "-O0 -g " + id, {"facts.cc", "facts_other.cc"}, path);
  const uint64_t address = AddressByNm(path, "_ZN5facts8exerciseEi");
  Run("objcopy --only-keep-debug " + path + " " + (folder / "kept"));
  Run("strip " + path);
  const std::string debug_root = folder / "debug root";
  const auto ask = [&] {
    ModuleImage image;
    REQUIRE(image.Map(path.c_str(), debug_root.c_str()));
    FunctionFacts facts;
    CHECK(image.FindFacts(address, &facts) == !NameAt(image, address).empty());
    return NameAt(image, address);
  };
  const auto place = [&](const std::string& where) {
    const std::string target = "'" + where + "'";
    Run("mkdir -p \"$(dirname " + target + ")\" && cp " + (folder / "kept") + " " + target);
  };
  const std::string name = "facts::exercise";

  SECTION("none: nothing is found") { CHECK(ask().empty()); }
  SECTION("by build id") {
    place(debug_root + "/.build-id/ab/cdef0123456789.debug");
    CHECK(ask() == name);
  }
  SECTION("beside the binary, by .gnu_debuglink") {
    Run("cp " + (folder / "kept") + " " + (folder / "facts.dbg"));
    Run("cd " + folder.path() + " && objcopy --add-gnu-debuglink=facts.dbg facts");
    CHECK(ask() == name);
    SECTION("in .debug") {
      place(folder / ".debug/facts.dbg");
      Run("rm " + (folder / "facts.dbg"));
      CHECK(ask() == name);
    }
    SECTION("below the debug directory") {
      place(debug_root + folder.path() + "/facts.dbg");
      Run("rm " + (folder / "facts.dbg"));
      CHECK(ask() == name);
      Run("ln -s " + path + " " + (folder / "link"));
      ModuleImage image;
      REQUIRE(image.Map((folder / "link").c_str(), debug_root.c_str()));
      CHECK(NameAt(image, address) == name);
    }
    SECTION("not when it is another binary's") {
      Compile(Compiler::kGcc, "-O0 -g -Wl,--build-id=0xffff", {"facts.cc", "facts_other.cc"},
              folder / "facts.dbg");
      CHECK(ask().empty());
    }
  }
}

TEST_CASE("without build ids the checksum says whether a debug file belongs") {
  const TemporaryFolder folder;
  const std::string path = folder / "facts";
  Compile(Compiler::kGcc, "-O0 -g -Wl,--build-id=none", {"facts.cc", "facts_other.cc"}, path);
  const uint64_t address = AddressByNm(path, "_ZN5facts8exerciseEi");
  Run("cd " + folder.path() +
      " && objcopy --only-keep-debug facts facts.dbg && strip facts && "
      "objcopy --add-gnu-debuglink=facts.dbg facts");
  {
    ModuleImage image;
    REQUIRE(image.Map(path.c_str()));
    CHECK(image.build_id().empty());
    CHECK(NameAt(image, address) == "facts::exercise");
  }
  Run("printf x >> " + (folder / "facts.dbg"));
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  CHECK(NameAt(image, address).empty());
}

TEST_CASE("without a symbol table the dynamic one serves") {
  const TemporaryFolder folder;
  const std::string path = folder / "libnames.so";
  Compile(Compiler::kGcc, "-O0 -fPIC -shared", {"names.cc"}, path);
  const uint64_t exported = AddressByNm(path, "_ZNK3app5Thing6methodEv");
  const uint64_t local = AddressByNm(path, "_ZN3app12_GLOBAL__N_16hiddenEi");
  Run("strip " + path);
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  CHECK(NameAt(image, exported) == "app::Thing::method");
  CHECK(NameAt(image, local).empty());
}

TEST_CASE("a stripped program has no functions") {
  const TemporaryFolder folder;
  const std::string path = folder / "names";
  Compile(Compiler::kGcc, "-O0", {"names.cc"}, path);
  const uint64_t address = AddressByNm(path, "main");
  Run("strip " + path);
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  Symbol symbol;
  CHECK_FALSE(image.FindFunction(address, &symbol));
  CHECK_FALSE(image.has_debug_info());
}

TEST_CASE("global names are preferred among aliases") {
  const TemporaryFolder folder;
  WriteFile(folder / "aliases.cc", R"(
    extern "C" {
    __attribute__((used)) static int local_name(int x) { return x; }
    int global_name(int) __attribute__((alias("local_name")));
    __asm__(".globl sizeless_name\n.type sizeless_name, @function\n"
            ".set sizeless_name, global_name\n.size sizeless_name, 0");
    int main() { return 0; }
    })");
  const std::string path = folder / "aliases";
  Compile(Compiler::kGcc, "-O0", {folder / "aliases.cc"}, path);
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  const uint64_t address = AddressByNm(path, "local_name");
  CHECK(AddressByNm(path, "sizeless_name") == address);
  CHECK(NameAt(image, address) == "global_name");
  CHECK(NameAt(image, address + 1) == "global_name");
}

TEST_CASE("the hooks are seen where they are imported and where they are defined") {
  const TemporaryFolder folder;
  const std::string path = folder / "names";
  const Compiler compiler = GENERATE(Compiler::kGcc, Compiler::kClang);
  const char* flags = GENERATE("", "-fPIC -shared", "-static");
  INFO(Name(compiler) << " " << flags);
  Compile(compiler, std::string("-O0 -finstrument-functions ") + flags, {"names.cc"}, path);
  {
    ModuleImage image;
    REQUIRE(image.Map(path.c_str()));
    CHECK(image.references_hooks());
  }
  if (std::string(flags) == "-static") return;
  Run("strip " + path);
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  CHECK(image.references_hooks());
}

TEST_CASE("the build id is the one that was linked in") {
  const TemporaryFolder folder;
  const std::string path = folder / "names";
  Compile(Compiler::kGcc, "-O0 -Wl,--build-id=0x0123456789abcdef", {"names.cc"}, path);
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  CHECK(image.build_id() == std::string_view("\x01\x23\x45\x67\x89\xab\xcd\xef", 8));
}

// An ELF file made by hand: headers, one executable section that is not there, symbols, names.
std::string ElfWithFunctions(uint32_t count, uint64_t first_address, uint64_t spacing) {
  std::string names(1, '\0');
  std::string symbols(sizeof(Elf64_Sym), '\0');
  // Scattered, because linkers do not sort symbols by address.
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t number = static_cast<uint32_t>((uint64_t{i} * 7919) % count);
    Elf64_Sym symbol{};
    symbol.st_name = static_cast<uint32_t>(names.size());
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = 1;
    symbol.st_value = first_address + spacing * number;
    symbol.st_size = spacing / 2;
    names += "function_" + std::to_string(number);
    names.push_back('\0');
    symbols.append(reinterpret_cast<const char*>(&symbol), sizeof(symbol));
  }
  Elf64_Ehdr header{};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
#if defined(__x86_64__)
  header.e_machine = EM_X86_64;
#else
  header.e_machine = EM_AARCH64;
#endif
  header.e_shoff = sizeof(header);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 4;
  Elf64_Shdr sections[4] = {};
  sections[1].sh_type = SHT_NOBITS;
  sections[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
  sections[1].sh_addr = first_address;
  sections[1].sh_size = count * spacing;
  sections[2].sh_type = SHT_SYMTAB;
  sections[2].sh_offset = sizeof(header) + sizeof(sections);
  sections[2].sh_size = symbols.size();
  sections[2].sh_entsize = sizeof(Elf64_Sym);
  sections[2].sh_link = 3;
  sections[3].sh_type = SHT_STRTAB;
  sections[3].sh_offset = sections[2].sh_offset + symbols.size();
  sections[3].sh_size = names.size();
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) +
         std::string(reinterpret_cast<const char*>(sections), sizeof(sections)) + symbols + names;
}

uint64_t AnonymousKilobytes() {
  FILE* file = fopen("/proc/self/smaps_rollup", "r");
  REQUIRE(file != nullptr);
  char line[256];
  uint64_t kilobytes = 0;
  while (fgets(line, sizeof(line), file) != nullptr) {
    if (sscanf(line, "Anonymous: %lu", &kilobytes) == 1) break;
  }
  fclose(file);
  return kilobytes;
}

TEST_CASE("a binary of 300,000 functions is searched in little memory") {
  constexpr uint32_t kCount = 300000;
  constexpr uint64_t kFirst = 0x10000;
  constexpr uint64_t kSpacing = 64;
  const TemporaryFolder folder;
  const std::string path = folder / "large";
  WriteFile(path, ElfWithFunctions(kCount, kFirst, kSpacing));
  ModuleImage image;
  REQUIRE(image.Map(path.c_str()));
  const uint64_t before = AnonymousKilobytes();
  size_t wrong = 0;
  for (uint32_t i = 0; i < kCount; ++i) {
    const uint64_t start = kFirst + kSpacing * i;
    const std::string name = "function_" + std::to_string(i);
    Symbol symbol;
    if (!image.FindFunction(start, &symbol) || symbol.name != name) ++wrong;
    if (!image.FindFunction(start + 31, &symbol) || symbol.name != name) ++wrong;
    if (image.FindFunction(start + 32, &symbol)) ++wrong;
  }
  CHECK(wrong == 0);
  // Two indexes of 4 bytes a symbol, one of them a hash table of at most three times the size.
  CHECK(AnonymousKilobytes() - before < 4 * 1024);
  Symbol symbol;
  CHECK_FALSE(image.FindFunction(kFirst - 1, &symbol));
}

}  // namespace
}  // namespace autotrace::symbolizer
