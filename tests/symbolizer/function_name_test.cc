#include "symbolizer/function_name.h"

#include <string.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <string_view>

#include "symbolizer/type_name.h"
#include "test_programs.h"
#include "tests/support/test_files.h"

namespace autotrace::symbolizer {
namespace {

using test::TemporaryFolder;

struct NameCase {
  const char* linker_name;
  const char* name;
};

constexpr NameCase kNames[] = {
    // C, and what is no mangled name
    {"main", "main"},
    {"", ""},
    {"_start", "_start"},
    {"_Z", "_Z"},
    {"_Zombie", "_Zombie"},
    {"memcpy@@GLIBC_2.14", "memcpy"},
    {"memcpy@GLIBC_2.2.5", "memcpy"},
    {"a.out_function", "a.out_function"},
    {"_GLOBAL__sub_I_main.cc", "_GLOBAL__sub_I_main.cc"},
    {"__cxx_global_var_init.3", "__cxx_global_var_init"},
    {"nested.1234", "nested"},
    // Clone suffixes
    {"work.part.0", "work"},
    {"work.isra.0", "work"},
    {"work.constprop.0", "work"},
    {"work.constprop.0.isra.0", "work"},
    {"work.isra.0.cold", "work"},
    {"work.cold", "work"},
    {"work.cold.12", "work"},
    {"work.lto_priv.0", "work"},
    {"work.llvm.1234567890", "work"},
    {"work.localalias", "work"},
    {"work.__uniq.123456789", "work"},
    {"work.__uniq.123456789.llvm.42", "work"},
    {"work._omp_fn.0", "work"},
    {"work.avx2", "work"},
    {"work.arch_haswell", "work"},
    {"work.resolver", "work"},
    {"_Z4workv.part.0", "work"},
    {"_Z4workv.constprop.0.isra.0.cold", "work"},
    {"_ZN8pipeline12_GLOBAL__N_16helperEv.part.0", "pipeline::(anonymous namespace)::helper"},
    {"_ZL4workv.__uniq.317402", "work"},
    {"_ZN1A4workEv.llvm.123", "A::work"},
    {"_ZN1M3genEPZNS_3genEiE17_ZN1M3genEi.Frame.actor", "M::gen"},
    {"_ZN1M3genEi.resume", "M::gen"},
    {"_ZN1A3fooEv@@VERSION_1", "A::foo"},
    // Functions
    {"_Z3foov", "foo"},
    {"_ZN8pipeline7extractEv", "pipeline::extract"},
    {"_ZN8pipeline6detail1fEPKc", "pipeline::detail::f"},
    {"_ZN1aL6staticEv", "a::static"},
    {"_ZNK1A1fEv", "A::f"},
    {"_ZNO1A1fEv", "A::f"},
    {"_Z41__static_initialization_and_destruction_0ii",
     "__static_initialization_and_destruction_0"},
    // Constructors and destructors
    {"_ZN8pipeline5ThingC1Ev", "pipeline::Thing::Thing"},
    {"_ZN8pipeline5ThingC2Ei", "pipeline::Thing::Thing"},
    {"_ZN8pipeline5ThingD0Ev", "pipeline::Thing::~Thing"},
    {"_ZN8pipeline5ThingD1Ev", "pipeline::Thing::~Thing"},
    {"_ZN8pipeline5ThingD2Ev", "pipeline::Thing::~Thing"},
    {"_ZN3BoxIiEC2Ev", "Box<int>::Box"},
    {"_ZN3BoxIiED1Ev", "Box<int>::~Box"},
    {"_ZN1AC2ERKS_", "A::A"},
    // Operators
    {"_ZN1AaSERKS_", "A::operator="},
    {"_ZN1AplERKS_", "A::operator+"},
    {"_ZN1AeqERKS_", "A::operator=="},
    {"_ZN1AssERKS_", "A::operator<=>"},
    {"_ZN1AltERKS_", "A::operator<"},
    {"_ZN1AltIiEEbT_", "A::operator< <int>"},
    {"_ZN1AlsEi", "A::operator<<"},
    {"_ZN1AlsIiEERS_T_", "A::operator<< <int>"},
    {"_ZN1AclEv", "A::operator()"},
    {"_ZN1AixEi", "A::operator[]"},
    {"_ZN1AptEv", "A::operator->"},
    {"_ZN1AppEi", "A::operator++"},
    {"_ZN1AcmERKS_", "A::operator,"},
    {"_ZN1AntEv", "A::operator!"},
    {"_ZN1AawEv", "A::operator co_await"},
    {"_ZN1AnwEm", "A::operator new"},
    {"_ZN1AnaEm", "A::operator new[]"},
    {"_ZN1AdlEPv", "A::operator delete"},
    {"_Znwm", "operator new"},
    {"_ZdlPvm", "operator delete"},
    {"_Zli5_unity", "operator\"\" _unit"},
    // Conversion operators
    {"_ZN1AcviEv", "A::operator int"},
    {"_ZN1AcvPiEv", "A::operator int*"},
    {"_ZN1AcvPKcEv", "A::operator char const*"},
    {"_ZN1AcvN1b1CEEv", "A::operator b::C"},
    {"_ZNK1AcvbEv", "A::operator bool"},
    // Templates: no return type, no arguments
    {"_ZN8pipeline5twiceIiEET_S1_", "pipeline::twice<int>"},
    {"_Z3fooILi3EEvv", "foo<3>"},
    {"_Z3fooILin5EEvv", "foo<-5>"},
    {"_Z3fooILb1ELc97EEvv", "foo<true, (char)97>"},
    {"_Z3fooIJidcEEvDpT_", "foo<int, double, char>"},
    {"_Z3fooIJEEvDpT_", "foo<>"},
    {"_Z3fooIPFivEEvT_", "foo<int (*)()>"},
    {"_Z3fooIXadL_Z3barvEEEvv", "foo<&(bar())>"},
    {"_Z1fIiEDTplfp_fp_ET_", "f<int>"},
    {"_ZN3BoxIiE2asIcEET_v", "Box<int>::as<char>"},
    {"_ZN3BoxIS_IiEE3getEv", "Box<Box<int> >::get"},
    {"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back"},
    {"_ZNSt3mapIiSsSt4lessIiESaISt4pairIKiSsEEEixERS3_",
     "std::map<int, std::string, std::less<int>, std::allocator<std::pair<int const, "
     "std::string> > >::operator[]"},
    {"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_", "std::move<int&>"},
    {"_ZNKSs4sizeEv", "std::string::size"},
    {"_ZNSsC1Ev",
     "std::basic_string<char, std::char_traits<char>, std::allocator<char> >::basic_string"},
    // ABI tags
    {"_ZN1a1bB5cxx11Ev", "a::b"},
    {"_ZN1aB3abc1bB5cxx11B3defEv", "a::b"},
    {"_ZN1AC1B5cxx11Ev", "A::A"},
    {"_ZNK1AclB3fooEv", "A::operator()"},
    {"_ZN1AixB3fooEi", "A::operator[]"},
    {"_Z1fIN1a1bB3tagEEvv", "f<a::b>"},
    {"_ZZ1fB3tagvENKUlvE_clEv", "f()::{lambda()#1}::operator()"},
    {"_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE4sizeEv",
     "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::size"},
    // Lambdas, local classes, unnamed types
    {"_ZZN8pipeline3runEvENKUliE_clEi", "pipeline::run()::{lambda(int)#1}::operator()"},
    {"_ZZN8pipeline3runEvENKUliE0_clEi", "pipeline::run()::{lambda(int)#2}::operator()"},
    {"_ZZNK1A1fEvENKUlvE_clEv", "A::f() const::{lambda()#1}::operator()"},
    {"_ZZN1AC4EiENKUlvE_clEv", "A::A(int)::{lambda()#1}::operator()"},
    {"_ZZ5twiceIiET_S0_ENKUlvE_clEv", "twice<int>(int)::{lambda()#1}::operator()"},
    {"_ZZZ1fvENKUlvE_clEvENKUlvE_clEv",
     "f()::{lambda()#1}::operator()() const::{lambda()#1}::operator()"},
    {"_ZZ4mainENKUlT_E_clIiEEDaS_", "main::{lambda(auto:1)#1}::operator()<int>"},
    {"_ZNK1AUlvE_clEv", "A::{lambda()#1}::operator()"},
    {"_ZZ1fiEd_NKUlvE_clEv", "f(int)::{default arg#1}::{lambda()#1}::operator()"},
    {"_ZZ4mainENK3$_0clEv", "main::$_0::operator()"},
    {"_ZZN8pipeline3runEiENK3$_1clEv", "pipeline::run(int)::$_1::operator()"},
    {"_ZZ1fiEd_NKUlT_E_clIiEEDaS_", "f(int)::{default arg#1}::{lambda(auto:1)#1}::operator()<int>"},
    {"_ZN1AcvKiEv", "A::operator int const"},
    {"_ZN8pipeline3$_08__invokeEv", "pipeline::$_0::__invoke"},
    {"_ZZ1fvEN1L1gEv", "f()::L::g"},
    {"_ZZ1fvEN1L1gEv.constprop.0", "f()::L::g"},
    {"_ZZ1gvENUt_1hEv", "g()::{unnamed type#1}::h"},
    // Thunks carry their function's name
    {"_ZThn16_N1A1fEi", "A::f"},
    {"_ZTv0_n24_N1A1fEv", "A::f"},
    {"_ZTch0_h16_N1A1fEv", "A::f"},
    {"_ZTcv0_n24_v0_n32_N1A5cloneEv", "A::clone"},
    {"_ZGTtN1A1fEv", "A::f"},
    {"_ZTW1x", "TLS wrapper function for x"},
    // Damaged
    {"_ZN", "_ZN"},
    {"_ZN5shor", "_ZN5shor"},
    {"_ZN99999999999999999999fooEv", "_ZN99999999999999999999fooEv"},
    {"_ZThn_", "_ZThn_"},
};

TEST_CASE("each linker name gives its qualified name") {
  for (const NameCase& name_case : kNames) {
    INFO(name_case.linker_name);
    CHECK(QualifiedName(name_case.linker_name) == name_case.name);
    char buffer[512];
    const size_t size = QualifiedName(name_case.linker_name, buffer, sizeof(buffer));
    CHECK(std::string(buffer, size) == name_case.name);
    CHECK(buffer[size] == '\0');
  }
}

std::set<std::string> CompiledNames(Compiler compiler, const std::string& flags) {
  const TemporaryFolder folder;
  Compile(compiler, flags, {"names.cc"}, folder / "names");
  ModuleImage image;
  REQUIRE(image.Map((folder / "names").c_str()));
  std::set<std::string> names;
  for (const auto& [name, address] : AddressesByName(image)) names.insert(name);
  return names;
}

TEST_CASE("what the compilers really emit gets the names that people write") {
  const std::set<std::string> both = {
      "plain_c",
      "free_function",
      "app::(anonymous namespace)::hidden",
      "app::v1::versioned",
      "app::file_local",
      "app::with_tag",
      "app::Thing::Thing",
      "app::Thing::~Thing",
      "app::Thing::method",
      "app::Thing::shared",
      "app::Thing::operator int",
      "app::Thing::operator char const*",
      "app::Thing::operator()",
      "app::Thing::operator[]",
      "app::Thing::operator=",
      "app::Thing::operator->",
      "app::Thing::operator<",
      "app::Thing::operator==",
      "app::Thing::operator++",
      "app::Thing::operator new",
      "app::Thing::operator delete",
      "app::Thing::tagged_method",
      "app::Thing::Inner::deep",
      "app::operator+",
      "app::operator\"\" _unit",
      "app::twice<int>",
      "app::by_value<3, true>",
      "app::count<int, char, double>",
      "app::Box<int>::get",
      "app::Box<int>::as<char>",
      "app::Box<int>::~Box",
      "app::Box<app::Box<int> >::~Box",
      "app::twice_sized<long>",
      "app::run",
      "app::run(int)::Local::go",
      "main",
  };
  const std::set<std::string> gcc = {
      "app::run(int)::{lambda(int)#1}::operator()",
      "app::run(int)::{lambda(int)#2}::operator()",
      "app::run(int)::{lambda(int)#2}::operator()(int) const::{lambda()#1}::operator()",
      "app::run(int)::{lambda(auto:1)#3}::operator()<int>",
      "app::{lambda(int)#1}::operator()",
  };
  const std::set<std::string> clang = {
      "app::run(int)::$_0::operator()<int>",
      "app::run(int)::$_1::operator()",
      "app::run(int)::$_2::operator()",
      "app::run(int)::$_2::operator()(int) const::{lambda()#1}::operator()",
      "app::$_3::operator()",
  };
  const std::string flags = GENERATE("-O0", "-O2");
  for (const Compiler compiler : {Compiler::kGcc, Compiler::kClang}) {
    const std::set<std::string> names = CompiledNames(compiler, flags);
    std::set<std::string> wanted = both;
    wanted.merge(std::set<std::string>(compiler == Compiler::kGcc ? gcc : clang));
    for (const std::string& name : wanted) {
      INFO(Name(compiler) << " " << flags << ": " << name);
      CHECK(names.count(name) == 1);
    }
    for (const std::string& name : names) {
      INFO(Name(compiler) << " " << flags << ": " << name);
      CHECK(name.find("[abi") == std::string::npos);
      CHECK(name.find("[clone") == std::string::npos);
      CHECK(name.rfind("_Z", 0) == std::string::npos);
    }
  }
}

TEST_CASE("a name that does not fit is cut and still ends") {
  char buffer[8];
  memset(buffer, 'x', sizeof(buffer));
  CHECK(QualifiedName("_ZN8pipeline7extractEv", buffer, sizeof(buffer)) == 7);
  CHECK(std::string(buffer) == "pipelin");
  CHECK(QualifiedName("main", buffer, 5) == 4);
  CHECK(std::string(buffer) == "main");
  CHECK(QualifiedName("main", buffer, 1) == 0);
  CHECK(buffer[0] == '\0');
  buffer[0] = 'x';
  CHECK(QualifiedName("main", buffer, 0) == 0);
  CHECK(buffer[0] == 'x');
}

TEST_CASE("a name is not cut inside a character") {
  const std::string name =
      "gr\xc3\xb6\xc3\x9f"
      "e";
  char buffer[16];
  CHECK(std::string(buffer, QualifiedName(name, buffer, 4)) == "gr");
  CHECK(std::string(buffer, QualifiedName(name, buffer, 5)) == "gr\xc3\xb6");
  CHECK(std::string(buffer, QualifiedName(name, buffer, 16)) == name);
}

TEST_CASE("names of up to 2048 characters are demangled in full") {
  const std::string identifier(1500, 'a');
  const std::string linker_name = "_ZN3app1500" + identifier + "Ev";
  CHECK(QualifiedName(linker_name) == "app::" + identifier);
}

TEST_CASE("of a longer name its scope is left") {
  const std::string argument = "300" + std::string(300, 'b');
  std::string arguments;
  for (int i = 0; i < 10; ++i) arguments += argument;
  CHECK(QualifiedName("_ZN3app6ParserI" + arguments + "E3runEv") == "app::Parser<...>");
  CHECK(QualifiedName("_ZN3app12_GLOBAL__N_16ParserI" + arguments + "E3runEv") ==
        "app::(anonymous namespace)::Parser<...>");
  CHECK(QualifiedName("_ZNKSt6vectorI" + arguments + "E4sizeEv") == "std::vector<...>");
  const std::string c_name(5000, 'c');
  CHECK(QualifiedName(c_name) == c_name);
}

TEST_CASE("a name that needs more stack than there is keeps its scope") {
  const std::string deep = "_ZN3app1fI" + std::string(500, 'P') + "iEEvv";
  CHECK(QualifiedName(deep) == "app::f<int" + std::string(500, '*') + ">");
  char buffer[1024];
  CHECK(std::string(buffer, QualifiedName(deep, buffer, sizeof(buffer), 64 * 1024)) ==
        "app::f<...>");
}

// Each type has the one before it twice, so the text would have 2^30 pieces and more. `type`: the
// substitution that names A; `first`: the digit of the one that its first instance gets.
std::string DoublingTypes(const std::string& type, char first) {
  std::string types = "1AIiiE";
  for (const char last : std::string_view("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    if (last < first) continue;
    const std::string before = std::string("S") + last + "_";
    types += type + "I" + before + before + "E";
  }
  return types;
}

TEST_CASE("a name that stands for a text without end keeps its scope") {
  const std::string name = "_Z1fI" + DoublingTypes("S0_", '1') + "Evv";
  CHECK(QualifiedName(name) == "f<...>");
  char buffer[64];
  CHECK(std::string(buffer, QualifiedName(name, buffer, sizeof(buffer))) == "f<...>");
}

TEST_CASE("a type has the name that people write, or the linker's where that has no end") {
  CHECK(TypeName("St13runtime_error") == "std::runtime_error");
  CHECK(TypeName("N3app5ErrorIiEE") == "app::Error<int>");
  CHECK(TypeName("NSt8ios_base7failureB5cxx11E") == "std::ios_base::failure[abi:cxx11]");
  CHECK(TypeName("PFviE") == "void (*)(int)");
  CHECK(TypeName("i") == "int");
  CHECK(TypeName("") == "");
  CHECK(TypeName("no type") == "no type");
  const std::string endless = "Fv" + DoublingTypes("S_", '0') + "E";
  CHECK(TypeName(endless) == endless);
}

}  // namespace
}  // namespace autotrace::symbolizer
