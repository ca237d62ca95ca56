// Facts from real debug information: both compilers, DWARF 4 and 5, optimised and not, as an
// executable and as a shared library.
#include <catch2/catch.hpp>
#include <map>
#include <set>
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

struct Build {
  Compiler compiler;
  std::string flags;
};

// Without inlining, so that each function is there to be asked about.
std::vector<Build> Builds() {
  std::vector<Build> builds;
  for (const Compiler compiler : {Compiler::kGcc, Compiler::kClang}) {
    for (const char* level : {"-O0 ", "-O2 -fno-inline "}) {
      for (const char* version : {"-gdwarf-4 ", "-gdwarf-5 "}) {
        for (const char* kind : {"", "-fPIC -shared -DFACTS_LIBRARY "}) {
          std::string flags = std::string(level) + version + kind;
          // Functions of the same code are to stay apart.
          if (compiler == Compiler::kGcc) flags += "-fno-ipa-icf ";
          builds.push_back({compiler, flags});
        }
      }
    }
  }
  return builds;
}

std::string PathOf(const FunctionFacts& facts) {
  if (facts.file.empty() || facts.file.front() == '/') return std::string(facts.file);
  return std::string(facts.directory) + "/" + std::string(facts.file);
}

// Compiles the fixture and gives the facts of all its own functions by name. Of constructors and
// other functions of the same name and line the answers must agree.
class FactsOf {
 public:
  explicit FactsOf(const Build& build) {
    Compile(build.compiler, build.flags + " -g", {"facts.cc", "facts_other.cc"}, folder_ / "facts");
    REQUIRE(image_.Map((folder_ / "facts").c_str()));
    REQUIRE(image_.has_debug_info());
    for (const Symbol& symbol : Functions(image_)) {
      FunctionFacts facts;
      if (!image_.FindFacts(symbol.address, &facts)) continue;
      by_name_[QualifiedName(symbol.name)].push_back(facts);
    }
  }
  const std::map<std::string, std::vector<FunctionFacts>>& by_name() const { return by_name_; }
  bool Has(const std::string& name) const { return by_name_.count(name) > 0; }
  ModuleImage& image() { return image_; }

 private:
  TemporaryFolder folder_;
  ModuleImage image_;
  std::map<std::string, std::vector<FunctionFacts>> by_name_;
};

// 1-based number of the fixture's line that holds the text.
uint32_t LineOf(const std::string& fixture, const std::string& text) {
  const std::string contents = ReadFile(Fixture(fixture));
  const size_t at = contents.find(text);
  REQUIRE(at != std::string::npos);
  return 1 + static_cast<uint32_t>(std::count(contents.begin(), contents.begin() + at, '\n'));
}

const std::set<std::string> kImplicit = {
    "facts::Implicit::Implicit",    "facts::Implicit::~Implicit",
    "facts::Implicit::operator=",   "facts::Generic<int>::~Generic",
    "facts::Generic<int>::Generic", "facts::Inheriting::~Inheriting",
    "facts::operators::operators",  "facts::operators::~operators",
};
// libiberty writes an inherited constructor with the base's name.
const std::string kInherited = "facts::Inheriting::Base";
const std::set<std::string> kDefaulted = {
    "facts::InClass::InClass",       "facts::InClass::~InClass",       "facts::InClass::operator=",
    "facts::OutOfClass::OutOfClass", "facts::OutOfClass::~OutOfClass",
};
const std::set<std::string> kWritten = {
    "facts::Part::Part",
    "facts::Part::~Part",
    "facts::Part::operator=",
    "facts::InClass::operator==",
    "facts::Base::Base",
    "facts::Base::~Base",
    "facts::Base::get",
    "facts::Inheriting::get",
    "facts::Written::Written",
    "facts::Written::operator=",
    "facts::Written::~Written",
    "facts::Written::method",
    "facts::Written::shared",
    "facts::Written::operator int",
    "facts::Generic<int>::get",
    "facts::(anonymous namespace)::hidden",
    "facts::exercise",
    "facts::other",
    "facts::Comparable::operator==",
};

TEST_CASE("compiler-made members are told from written ones") {
  for (const Build& build : Builds()) {
    const FactsOf facts(build);
    for (const auto& [name, all] : facts.by_name()) {
      INFO(Name(build.compiler) << " " << build.flags << ": " << name);
      for (const FunctionFacts& fact : all) {
        if (kImplicit.count(name) > 0 || name == kInherited) CHECK(fact.compiler_made);
        if (kWritten.count(name) > 0) CHECK_FALSE(fact.compiler_made);
        // Clang 14 writes no DW_AT_defaulted.
        if (kDefaulted.count(name) > 0 && build.compiler == Compiler::kGcc) {
          CHECK(fact.compiler_made);
        }
        if (name.ends_with("::operator()") || name.ends_with("::_FUN") ||
            name.ends_with("::__invoke")) {
          CHECK_FALSE(fact.compiler_made);
        }
      }
    }
    // Nothing of this may be missing: that would be a test of nothing.
    std::set<std::string> wanted = kWritten;
    for (const auto& names : {kImplicit, kDefaulted}) wanted.insert(names.begin(), names.end());
    wanted.insert(kInherited);
    for (const std::string& name : wanted) {
      // Optimisers fold or specialise away what is local or trivial.
      if (build.flags.find("-O0") == std::string::npos &&
          (name == "facts::(anonymous namespace)::hidden" ||
           name == "facts::operators::~operators" || name == "facts::Comparable::operator==")) {
        continue;
      }
      INFO(Name(build.compiler) << " " << build.flags << ": " << name);
      CHECK(facts.Has(name));
    }
  }
}

TEST_CASE("functions are found where they are declared") {
  struct Place {
    const char* name;
    const char* fixture;
    const char* text;
  };
  const Place places[] = {
      {"facts::exercise", "facts.cc", "int exercise("},
      {"facts::other", "facts_other.cc", "int other("},
      {"facts::Written::method", "facts.h", "int method()"},
      {"facts::Written::shared", "facts.h", "int shared()"},
      {"facts::Inheriting::get", "facts.h", "int get() override"},
      {"facts::Generic<int>::get", "facts.h", "T get()"},
      {"facts::Implicit::~Implicit", "facts.h", "struct Implicit {"},
  };
  for (const Build& build : Builds()) {
    const FactsOf facts(build);
    for (const Place& place : places) {
      INFO(Name(build.compiler) << " " << build.flags << ": " << place.name);
      REQUIRE(facts.Has(place.name));
      const FunctionFacts& fact = facts.by_name().at(place.name).front();
      CHECK(PathOf(fact) == Fixture(place.fixture));
      CHECK(fact.line == LineOf(place.fixture, place.text));
    }
    bool saw_lambda = false;
    for (const auto& [name, all] : facts.by_name()) {
      if (name.find("exercise(int)::") == std::string::npos || !name.ends_with("::operator()")) {
        continue;
      }
      INFO(Name(build.compiler) << " " << build.flags << ": " << name);
      saw_lambda = true;
      CHECK(PathOf(all.front()) == Fixture("facts.cc"));
      CHECK(all.front().line >= LineOf("facts.cc", "auto lambda = "));
      CHECK(all.front().line <= LineOf("facts.cc", "int (*pointer)"));
    }
    CHECK(saw_lambda);
  }
}

TEST_CASE("relative paths keep directory and name apart") {
  const TemporaryFolder folder;
  Run("mkdir -p " + (folder / "src/deep"));
  WriteFile(folder / "src/deep/part.h",
            "inline __attribute__((noinline)) int part() { return 1; }");
  WriteFile(folder / "src/program.cc", "#include \"deep/part.h\"\nint main() { return part(); }");
  const std::string version = GENERATE("4", "5");
  for (const char* compiler : {SYMBOLIZER_TEST_GXX, SYMBOLIZER_TEST_CLANGXX}) {
    Run("cd " + folder.path() + " && " + compiler + " -gdwarf-" + version +
        " -O0 -Isrc src/program.cc -o program");
    ModuleImage image;
    REQUIRE(image.Map((folder / "program").c_str()));
    INFO(compiler << " DWARF " << version);
    for (const auto& [name, path] :
         {std::pair("main", "src/program.cc"), std::pair("part", "src/deep/part.h")}) {
      FunctionFacts facts;
      REQUIRE(image.FindFacts(AddressesByName(image).at(name), &facts));
      std::string whole = PathOf(facts);
      if (whole.front() == '/') whole = whole.substr(folder.path().size() + 1);
      CHECK(whole == path);
    }
  }
}

TEST_CASE("there are facts only at the start of functions") {
  FactsOf facts({Compiler::kGcc, "-O0 "});
  const uint64_t start = AddressesByName(facts.image()).at("facts::exercise");
  FunctionFacts fact;
  CHECK(facts.image().FindFacts(start, &fact));
  CHECK_FALSE(facts.image().FindFacts(start + 1, &fact));
  CHECK_FALSE(facts.image().FindFacts(0, &fact));
  CHECK_FALSE(facts.image().FindFacts(~uint64_t{0}, &fact));
}

TEST_CASE("debug information that cannot be read in place gives no facts") {
  struct Variant {
    Compiler compiler;
    const char* flags;
  };
  // An executable always has functions; none of them may have facts here.
  for (const Variant& variant :
       {Variant{Compiler::kGcc, "-g0"}, Variant{Compiler::kGcc, "-g -gz=zlib"},
        Variant{Compiler::kClang, "-gdwarf-5 -gz=zlib"},
        Variant{Compiler::kGcc, "-gdwarf-5 -gsplit-dwarf"},
        Variant{Compiler::kGcc, "-gdwarf-4 -gsplit-dwarf"},
        Variant{Compiler::kClang, "-gdwarf-5 -gsplit-dwarf"}}) {
    INFO(Name(variant.compiler) << " " << variant.flags);
    const TemporaryFolder folder;
    Run("cp " + Fixture("facts.h") + " " + Fixture("facts.cc") + " " + Fixture("facts_other.cc") +
        " " + folder.path());
    Run("cd " + folder.path() + " && " +
        (variant.compiler == Compiler::kGcc ? SYMBOLIZER_TEST_GXX : SYMBOLIZER_TEST_CLANGXX) +
        " -std=c++20 -w " + variant.flags + " facts.cc facts_other.cc -o facts");
    ModuleImage image;
    REQUIRE(image.Map((folder / "facts").c_str()));
    const std::map<std::string, uint64_t> addresses = AddressesByName(image);
    REQUIRE(addresses.count("facts::exercise") == 1);
    for (const auto& [name, address] : addresses) {
      FunctionFacts facts;
      INFO(name);
      CHECK_FALSE(image.FindFacts(address, &facts));
    }
  }
}

TEST_CASE("link-time optimisation and type units leave the facts readable") {
  for (const char* flags :
       {"-O2 -flto -fno-inline", "-O0 -gdwarf-4 -fdebug-types-section",
        "-O0 -gdwarf-5 -fdebug-types-section", "-O0 -gno-pubnames -gdwarf-2",
        "-O0 -gdwarf64 -gdwarf-5", "-O0 -ffunction-sections -Wl,--gc-sections"}) {
    INFO(flags);
    const FactsOf facts({Compiler::kGcc, flags});
    REQUIRE(facts.Has("facts::exercise"));
    REQUIRE(facts.Has("facts::Implicit::~Implicit"));
    const FunctionFacts& exercise = facts.by_name().at("facts::exercise").front();
    CHECK_FALSE(exercise.compiler_made);
    CHECK(exercise.line == LineOf("facts.cc", "int exercise("));
    CHECK(PathOf(exercise) == Fixture("facts.cc"));
    CHECK(facts.by_name().at("facts::Implicit::~Implicit").front().compiler_made);
  }
}

}  // namespace
}  // namespace autotrace::symbolizer
