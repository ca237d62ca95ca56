#include "plugin/decision.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

namespace autotrace::plugin {
namespace {

// A function with the facts that a test gives it; counts how often the costly one was asked for.
struct FakeFunction final : public CompiledFunction {
  explicit FakeFunction(std::string linker_name) : name(std::move(linker_name)) {}

  std::string linker_name() const override { return name; }
  std::string source_file() const override { return file; }
  bool in_standard_library() const override { return standard_library; }
  bool is_marked_no_trace() const override { return no_trace; }
  bool is_marked_always_trace() const override { return always_trace; }
  bool is_compiler_made() const override { return compiler_made; }
  bool is_defined_inline() const override { return defined_inline; }
  bool is_straight_line() const override {
    ++straight_line_questions;
    return straight_line;
  }

  std::string name;
  std::string file = "src/app.cc";
  bool standard_library = false;
  bool no_trace = false;
  bool always_trace = false;
  bool compiler_made = false;
  bool defined_inline = false;
  bool straight_line = false;
  mutable int straight_line_questions = 0;
};

constexpr char kRun[] = "_ZN3app3runEv";

Settings With(filters::Strings modules, Leaves leaves = Leaves::kInline) {
  Settings settings;
  settings.modules = std::move(modules);
  settings.leaves = leaves;
  return settings;
}

FakeFunction InlineLeaf(const char* name = kRun) {
  FakeFunction function(name);
  function.defined_inline = true;
  function.straight_line = true;
  return function;
}

TEST_CASE("without patterns an ordinary function is kept", "[plugin]") {
  const FakeFunction function(kRun);
  CHECK(Decider(With({})).Decide(function).is_kept());
  // What cannot be dropped is not examined.
  CHECK(function.straight_line_questions == 0);
}

TEST_CASE("what no pattern matches is dropped", "[plugin]") {
  const Decider decider(With({"app"}));
  CHECK(decider.Decide(FakeFunction(kRun)).pattern == "app");
  CHECK(decider.Decide(FakeFunction("_ZN5other3runEv")).reason == Reason::kNotMatched);
  CHECK(decider.Decide(FakeFunction("main")).reason == Reason::kNotMatched);
}

TEST_CASE("what the profile lists is dropped, unless a pattern spells it out", "[plugin]") {
  Settings settings = With({"app"});
  settings.profile.short_functions = {kRun};
  CHECK(Decider(settings).Decide(FakeFunction(kRun)).reason == Reason::kShort);
  CHECK(Decider(settings).Decide(FakeFunction("_ZN3app4walkEv")).is_kept());
  CHECK(Decider(settings).DecideByName(kRun).reason == Reason::kShort);
  FakeFunction marked(kRun);
  marked.always_trace = true;
  CHECK(Decider(settings).Decide(marked).is_kept());
  settings.modules = {"app", "app::run"};
  CHECK(Decider(settings).Decide(FakeFunction(kRun)).is_kept());
  settings.modules.clear();
  CHECK(Decider(settings).Decide(FakeFunction(kRun)).reason == Reason::kShort);
}

TEST_CASE("source patterns see the file of the definition", "[plugin]") {
  CHECK(Decider(With({"src/app.cc"})).Decide(FakeFunction(kRun)).is_kept());
  CHECK_FALSE(Decider(With({"src/db/"})).Decide(FakeFunction(kRun)).is_kept());
  // A relative one is below the folder that the compiler works in.
  CHECK(Decider(With({"/**/src/app.cc"})).Decide(FakeFunction(kRun)).is_kept());
}

TEST_CASE("patterns for binaries cannot be decided on, so everything is kept", "[plugin]") {
  for (const char* pattern : {"lib:my_service", "libstorage.so", "bin/libstorage.so.1"}) {
    CAPTURE(pattern);
    const Decider decider(With({"other", pattern}));
    CHECK(decider.Decide(FakeFunction(kRun)).is_kept());
    CHECK(decider.Decide(InlineLeaf()).reason == Reason::kStraightLine);
  }
}

TEST_CASE("leaves are dropped as far as the setting goes", "[plugin]") {
  FakeFunction out_of_line(kRun);
  out_of_line.straight_line = true;
  const auto reason = [](Leaves leaves, const FakeFunction& function) {
    return Decider(With({}, leaves)).Decide(function).reason;
  };
  CHECK(reason(Leaves::kInline, InlineLeaf()) == Reason::kStraightLine);
  CHECK(reason(Leaves::kInline, out_of_line) == Reason::kKept);
  CHECK(reason(Leaves::kAll, InlineLeaf()) == Reason::kStraightLine);
  CHECK(reason(Leaves::kAll, out_of_line) == Reason::kStraightLine);
  CHECK(reason(Leaves::kNone, InlineLeaf()) == Reason::kKept);
  CHECK(reason(Leaves::kNone, out_of_line) == Reason::kKept);
}

TEST_CASE("a leaf that a pattern spells out is kept", "[plugin]") {
  CHECK(Decider(With({"app::run"})).Decide(InlineLeaf()).is_kept());
  CHECK_FALSE(Decider(With({"app"})).Decide(InlineLeaf()).is_kept());
  CHECK_FALSE(Decider(With({"app::r*"})).Decide(InlineLeaf()).is_kept());
}

TEST_CASE("compiler-made members are dropped unless they are wanted", "[plugin]") {
  FakeFunction member("_ZN3app5ThingC1Ev");
  member.compiler_made = true;
  CHECK(Decider(With({"app"})).Decide(member).reason == Reason::kCompilerMade);
  Settings settings = With({"app"});
  settings.keep_compiler_made = true;
  CHECK(Decider(settings).Decide(member).is_kept());
}

TEST_CASE("marks win, and NO_TRACE wins over ALWAYS_TRACE", "[plugin]") {
  FakeFunction function = InlineLeaf();
  function.compiler_made = true;
  function.always_trace = true;
  CHECK(Decider(With({"other"})).Decide(function).reason == Reason::kAlwaysTrace);
  function.no_trace = true;
  CHECK(Decider(With({"app"})).Decide(function).reason == Reason::kNoTrace);
}

TEST_CASE("the standard library is dropped whatever the patterns say", "[plugin]") {
  FakeFunction function("_ZNSt6vectorIiSaIiEE9push_backEOi");
  function.standard_library = true;
  CHECK(Decider(With({})).Decide(function).reason == Reason::kStandardLibrary);
  CHECK(Decider(With({"std", "*"})).Decide(function).reason == Reason::kStandardLibrary);
}

TEST_CASE("what is known by its name only is decided on by that", "[plugin]") {
  CHECK(Decider(With({})).DecideByName(".omp_outlined.").is_kept());
  CHECK(Decider(With({"app"})).DecideByName(kRun).pattern == "app");
  CHECK(Decider(With({"app"})).DecideByName(".omp_outlined.").reason == Reason::kNotMatched);
  // It might stand in such a file.
  CHECK(Decider(With({"src/db/"})).DecideByName(kRun).is_kept());
  CHECK(Decider(With({"*"})).DecideByName("_ZNKSt6vectorIiSaIiEE4sizeEv").reason ==
        Reason::kStandardLibrary);
}

TEST_CASE("headers of the standard library are told by their folders", "[plugin]") {
  for (const char* path : {"/usr/include/c++/12/bits/stl_vector.h",
                           "/usr/include/x86_64-linux-gnu/c++/12/bits/c++config.h",
                           "/usr/lib/gcc/x86_64-linux-gnu/12/../../../../include/c++/12/vector",
                           "/usr/lib/gcc/x86_64-linux-gnu/12/include/emmintrin.h",
                           "/usr/lib/llvm-14/include/c++/v1/vector",
                           "/usr/lib/llvm-14/lib/clang/14.0.6/include/emmintrin.h"}) {
    CAPTURE(path);
    CHECK(IsStandardLibraryHeader(path));
  }
  for (const char* path : {"/usr/include/nlohmann/json.hpp", "/usr/include/stdio.h",
                           "/opt/gcc/include/mine.h", "/home/me/c++/mine.h", "vector", ""}) {
    CAPTURE(path);
    CHECK_FALSE(IsStandardLibraryHeader(path));
  }
}

TEST_CASE("functions of the standard library are told by their names", "[plugin]") {
  for (const char* name :
       {"_ZNSt6vectorIiSaIiEE9push_backEOi", "_ZNKSt6vectorIiSaIiEE4sizeEv", "_ZSt4moveIRiEvOT_",
        "_ZNSs6appendEPKc", "_ZNSaIcEC1Ev", "_ZN9__gnu_cxx13new_allocatorIcE8allocateEm",
        "_ZZNSt8__detail5helloEvENKUlvE_clEv"}) {
    CAPTURE(name);
    CHECK(IsStandardLibraryName(name));
  }
  for (const char* name : {"_ZN3app3runESt6vectorIiSaIiEE", "_ZN3app5StackE", "main", "_Z1fSs",
                           "_ZN5Store3addEv", ""}) {
    CAPTURE(name);
    CHECK_FALSE(IsStandardLibraryName(name));
  }
}

}  // namespace
}  // namespace autotrace::plugin
