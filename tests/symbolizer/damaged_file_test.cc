// Files that are cut short, overwritten at random, or no ELF files at all: every question gets an
// answer, and nothing crashes. Run under AddressSanitizer this also finds reads out of bounds.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "symbolizer/function_name.h"
#include "symbolizer/module_image.h"
#include "test_programs.h"
#include "tests/support/test_files.h"

namespace autotrace::symbolizer {
namespace {

using test::ReadFile;
using test::TemporaryFolder;
using test::WriteFile;

// Asks everything. Returns whether the file was taken for an ELF file.
bool AskEverything(const std::string& path) {
  ModuleImage image;
  if (!image.Map(path.c_str())) {
    Symbol symbol;
    FunctionFacts facts;
    CHECK_FALSE(image.FindFunction(0x1000, &symbol));
    CHECK_FALSE(image.FindFacts(0x1000, &facts));
    CHECK(Functions(image).empty());
    CHECK(image.build_id().empty());
    CHECK_FALSE(image.references_hooks());
    return false;
  }
  size_t total = image.build_id().size() + image.first_load_address() + image.references_hooks();
  for (const Symbol& function : Functions(image)) {
    Symbol symbol;
    FunctionFacts facts;
    total += image.FindFunction(function.address, &symbol) ? symbol.name.size() : 0;
    total += image.FindFunction(function.address + 1, &symbol) ? symbol.name.size() : 0;
    total += image.FindFacts(function.address, &facts) ? facts.file.size() : 0;
    char name[128];
    total += QualifiedName(function.name, name, sizeof(name));
  }
  // The sum keeps the calls from being optimised away.
  return total != ~size_t{0};
}

std::string Healthy(Compiler compiler, const char* flags) {
  const TemporaryFolder folder;
  Compile(compiler, flags, {"facts.cc", "facts_other.cc"}, folder / "facts");
  return ReadFile(folder / "facts");
}

TEST_CASE("what is no ELF file is refused") {
  const TemporaryFolder folder;
  CHECK_FALSE(AskEverything(folder / "missing"));
  CHECK_FALSE(AskEverything(folder.path()));
  CHECK_FALSE(AskEverything("/dev/null"));
  WriteFile(folder / "empty", "");
  CHECK_FALSE(AskEverything(folder / "empty"));
  WriteFile(folder / "text", std::string(5000, 'x'));
  CHECK_FALSE(AskEverything(folder / "text"));
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK_FALSE(AskEverything(folder / "fifo"));

  const std::string healthy = Healthy(Compiler::kGcc, "-O0 -g");
  const auto with_byte = [&](size_t at, char value) {
    std::string changed = healthy;
    changed[at] = value;
    WriteFile(folder / "changed", changed);
    return AskEverything(folder / "changed");
  };
  CHECK(with_byte(4, 2));         // EI_CLASS, as it is
  CHECK_FALSE(with_byte(4, 1));   // 32 bits
  CHECK_FALSE(with_byte(5, 2));   // big endian
  CHECK_FALSE(with_byte(16, 1));  // relocatable
  CHECK_FALSE(with_byte(16, 4));  // core dump
  CHECK_FALSE(with_byte(18, 8));  // another machine
}

TEST_CASE("files cut short are survived") {
  const TemporaryFolder folder;
  for (const Compiler compiler : {Compiler::kGcc, Compiler::kClang}) {
    const std::string healthy = Healthy(compiler, "-O0 -gdwarf-5");
    const std::string path = folder / "cut";
    for (size_t size = 0; size < healthy.size(); size += 1 + size / 40) {
      WriteFile(path, healthy.substr(0, size));
      const bool is_elf = AskEverything(path);
      CHECK(is_elf == (size >= 64));
    }
  }
}

TEST_CASE("files overwritten at random are survived") {
  const TemporaryFolder folder;
  const std::string path = folder / "damaged";
  std::mt19937 random(20260801);
  struct Variant {
    Compiler compiler;
    const char* flags;
  };
  for (const Variant& variant :
       {Variant{Compiler::kGcc, "-O2 -gdwarf-4"}, Variant{Compiler::kGcc, "-O2 -gdwarf-5"},
        Variant{Compiler::kClang, "-O0 -gdwarf-4"}, Variant{Compiler::kClang, "-O2 -gdwarf-5"}}) {
    const std::string healthy = Healthy(variant.compiler, variant.flags);
    for (int round = 0; round < 150; ++round) {
      std::string damaged = healthy;
      // The start holds the ELF header, the end the section headers; debug sections are before.
      const int hits = 1 << (random() % 10);
      for (int hit = 0; hit < hits; ++hit) {
        const size_t near_end = damaged.size() - 1 - random() % (damaged.size() / 2);
        const size_t at = random() % 8 == 0 ? random() % damaged.size() : near_end;
        damaged[at] = static_cast<char>(random() % 4 == 0 ? 0xff : random());
      }
      INFO(Name(variant.compiler) << " " << variant.flags << " round " << round);
      WriteFile(path, damaged);
      AskEverything(path);
    }
  }
  SUCCEED("nothing crashed");
}

}  // namespace
}  // namespace autotrace::symbolizer
