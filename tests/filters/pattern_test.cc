#include "filters/pattern.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "filters/known_function.h"
#include "filters/name_components.h"

namespace autotrace::filters {
namespace {

using Match = Pattern::Match;

Pattern Parsed(std::string_view text) {
  Pattern pattern;
  std::string error;
  INFO("pattern " << text << ": " << error);
  REQUIRE(Pattern::Parse(text, &pattern, &error));
  return pattern;
}

Match Matched(std::string_view pattern, std::string_view name) {
  return Parsed(pattern).Matches(KnownFunction(name));
}

bool MatchesBinary(std::string_view pattern, std::string_view path) {
  return Parsed(pattern).Matches(KnownFunction("f", path)) != Match::kNo;
}

bool MatchesSource(std::string_view pattern, std::string_view path) {
  return Parsed(pattern).Matches(KnownFunction("f", "/bin/p", path)) != Match::kNo;
}

std::string ParseError(std::string_view text) {
  Pattern pattern;
  std::string error;
  INFO("pattern " << text);
  REQUIRE_FALSE(Pattern::Parse(text, &pattern, &error));
  // A pattern that was refused must not match everything by accident.
  CHECK(pattern.Matches(KnownFunction("f", "/bin/p", "/src/f.cc")) == Match::kNo);
  return error;
}

std::vector<std::string> Bases(std::string_view name) {
  std::vector<std::string> bases;
  const NameComponents components(name);
  for (size_t index = 0; index < components.size(); ++index) {
    bases.emplace_back(components.base(index));
  }
  return bases;
}

struct NameCase {
  const char* pattern;
  const char* name;
  Match match;
};

TEST_CASE("a name is taken apart at '::' outside of brackets only", "[pattern]") {
  using List = std::vector<std::string>;
  CHECK(Bases("main") == List{"main"});
  CHECK(Bases("") == List{});
  CHECK(Bases("app::twice<a::b>") == List{"app", "twice"});
  CHECK(Bases("app::Map<a::b, c<d::e> >::find") == List{"app", "Map", "find"});
  CHECK(Bases("app::(anonymous namespace)::helper") ==
        List{"app", "(anonymous namespace)", "helper"});
  CHECK(Bases("app::run(std::string const&)::{lambda(a::b)#1}::operator()") ==
        List{"app", "run", "{lambda(a::b)#1}", "operator()"});
  CHECK(Bases("app::operator<") == List{"app", "operator<"});
  CHECK(Bases("app::operator< <int>") == List{"app", "operator< "});
  CHECK(Bases("app::operator<< <a::b>") == List{"app", "operator<< "});
  CHECK(Bases("app::A::operator<=>") == List{"app", "A", "operator<=>"});
  CHECK(Bases("app::A::operator->") == List{"app", "A", "operator->"});
  CHECK(Bases("app::A::operator->*<int>") == List{"app", "A", "operator->*"});
  CHECK(Bases("app::A::operator()<int>") == List{"app", "A", "operator()"});
  CHECK(Bases("app::A<(1>2)>::f") == List{"app", "A", "f"});
  CHECK(Bases("app::A<(1<2)>::f") == List{"app", "A", "f"});
  CHECK(Bases("app::Use<&app::operator< >::f") == List{"app", "Use", "f"});
  CHECK(Bases("app::A::operator std::string") == List{"app", "A", "operator std::string"});
  CHECK(Bases("app::A::operator std::vector<a::b>() const::{lambda()#1}::operator()") ==
        List{"app", "A", "operator std::vector<a::b>", "{lambda()#1}", "operator()"});
  CHECK(Bases("app::operator_like::f") == List{"app", "operator_like", "f"});
  CHECK(Bases("my_operator::f") == List{"my_operator", "f"});
  CHECK(Bases("app::A::operator new") == List{"app", "A", "operator new"});
}

TEST_CASE("a hostile name neither overruns nor takes long", "[pattern]") {
  const Pattern pattern = Parsed("**::x*y*z::**::w");
  for (const char* piece :
       {"<", "(", ">", ")", "::", "operator ", "operator", "a::", "<(", "{>", "xyz::", "xy"}) {
    std::string name;
    while (name.size() < 20'000) name += piece;
    CHECK(pattern.Matches(KnownFunction(name)) == Match::kNo);
    CHECK(NameComponents(name).size() <= NameComponents::kMaximum);
  }
}

TEST_CASE("patterns for names", "[pattern]") {
  const NameCase cases[] = {
      // Namespace, class or exact function, anchored at the start.
      {"pipeline", "pipeline::run", Match::kYes},
      {"pipeline", "pipeline::detail::f", Match::kYes},
      {"pipeline", "pipeline", Match::kExactFunction},
      {"pipeline", "pipeline<int>::f", Match::kYes},
      {"pipeline", "pipeline2::run", Match::kNo},
      {"pipeline", "pipelin", Match::kNo},
      {"pipeline", "x::pipeline::run", Match::kNo},
      {"**::pipeline", "x::pipeline::run", Match::kYes},
      {"**::pipeline", "pipeline::run", Match::kYes},
      {"**::pipeline", "x::y::pipeline", Match::kYes},
      {"**::pipeline", "x::pipeline2::run", Match::kNo},
      {"pipeline::run", "pipeline::run", Match::kExactFunction},
      {"pipeline::run", "pipeline::run2", Match::kNo},
      {"pipeline::run", "pipeline", Match::kNo},
      {"main", "main", Match::kExactFunction},
      {"main", "app::main", Match::kNo},
      // Ways to write the same.
      {"ns:pipeline", "pipeline::run", Match::kYes},
      {"::pipeline", "pipeline::run", Match::kYes},
      {"ns:::pipeline", "pipeline::run", Match::kYes},
      {"pipeline::", "pipeline::run", Match::kYes},
      {"  pipeline ", "pipeline::run", Match::kYes},
      // Namespaces that are called like a prefix.
      {"ns::f", "ns::f", Match::kExactFunction},
      {"src::f", "src::f", Match::kExactFunction},
      {"lib::f", "f", Match::kNo},
      // Template arguments.
      {"app::twice", "app::twice<int>", Match::kExactFunction},
      {"app::twice<int>", "app::twice<int>", Match::kExactFunction},
      {"app::twice<int>", "app::twice<long>", Match::kNo},
      {"app::twice<int>", "app::twice", Match::kNo},
      {"app::Box<int>", "app::Box<int>::get", Match::kYes},
      {"app::Box<*>", "app::Box<std::string>::get", Match::kYes},
      {"app::Box<*>", "app::Box::get", Match::kNo},
      {"app::Box<std::vector<int>>", "app::Box<std::vector<int> >::get", Match::kYes},
      {"app::Map<int, long>", "app::Map<int,long>::get", Match::kYes},
      {"app::Box<char***>", "app::Box<char***>::get", Match::kYes},
      {"app::B", "app::Box<int>::get", Match::kNo},
      // Functions inside of functions.
      {"app::run", "app::run()::{lambda()#1}::operator()", Match::kInsideFunction},
      {"app::run", "app::run<int>(int)::Local::f", Match::kInsideFunction},
      {"app", "app::run()::{lambda()#1}::operator()", Match::kInsideFunction},
      {"app::run2", "app::run()::{lambda()#1}::operator()", Match::kNo},
      {"app::run()::{lambda()#1}::operator()", "app::run()::{lambda()#1}::operator()",
       Match::kExactFunction},
      {"app::run::{lambda(int)#2}", "app::run()::{lambda(int)#2}::operator()", Match::kYes},
      {"app::run::{lambda(int)#2}", "app::run()::{lambda(int)#1}::operator()", Match::kNo},
      // Anonymous namespaces, special members, operators.
      {"app::(anonymous namespace)", "app::(anonymous namespace)::helper", Match::kYes},
      {"app::(anonymous namespace)::helper", "app::(anonymous namespace)::helper",
       Match::kExactFunction},
      {"app::Thing", "app::Thing::~Thing", Match::kYes},
      {"app::Thing::~Thing", "app::Thing::~Thing", Match::kExactFunction},
      {"app::operator<", "app::operator<", Match::kExactFunction},
      {"app::operator<", "app::operator<<", Match::kNo},
      {"app::operator<", "app::operator< <int>", Match::kExactFunction},
      {"app::operator< <int>", "app::operator< <int>", Match::kExactFunction},
      {"app::operator< <int>", "app::operator< <long>", Match::kNo},
      {"app::operator<<", "app::operator<< <int>", Match::kExactFunction},
      {"app::A::operator()", "app::A::operator()", Match::kExactFunction},
      {"app::A::operator->", "app::A::operator->", Match::kExactFunction},
      {"app::operator,", "app::operator,", Match::kExactFunction},
      {"app::A::operator/", "app::A::operator/", Match::kExactFunction},
      {"app::A::operator new", "app::A::operator new", Match::kExactFunction},
      {"app::A::operator std::string", "app::A::operator std::string", Match::kExactFunction},
      {"app::A", "app::A::operator std::string", Match::kYes},
      // Globs.
      {"app::*::run", "app::a::run", Match::kYes},
      {"app::*::run", "app::a::b::run", Match::kNo},
      {"app::*::run", "app::run", Match::kNo},
      {"app::**::run", "app::a::b::run", Match::kYes},
      {"app::**::run", "app::run", Match::kYes},
      {"app::**::run", "lib::run", Match::kNo},
      {"app::**", "app::a::b", Match::kYes},
      {"app::*", "app::f", Match::kYes},
      {"app::*", "app", Match::kNo},
      {"app::load_*", "app::load_all", Match::kYes},
      {"app::load_*", "app::unload_all", Match::kNo},
      {"app::load_?", "app::load_1", Match::kYes},
      {"app::load_?", "app::load_12", Match::kNo},
      {"app::*_*d", "app::load_and_add", Match::kYes},
      {"app::*_*d", "app::load_and_adds", Match::kNo},
      {"**_test", "app::a::some_test::f", Match::kYes},
      {"**_test", "app::a::some_tests::f", Match::kNo},
      {"app**", "application::f", Match::kYes},
      {"**::a::**::b", "x::a::y::a::z::b", Match::kYes},
      {"**::a::b", "a::a::b", Match::kYes},
      {"**::a::b::c", "a::b::a::b::c", Match::kYes},
      {"*", "anything<int>::at::all", Match::kYes},
      {"**", "anything", Match::kYes},
      {"*", "main", Match::kYes},
      {"mai?", "main", Match::kYes},
      // Names that no symbol table gave.
      {"libx.so+0x12", "libx.so+0x12", Match::kExactFunction},
  };
  for (const NameCase& test : cases) {
    INFO(test.pattern << " on " << test.name);
    CHECK(static_cast<int>(Matched(test.pattern, test.name)) == static_cast<int>(test.match));
  }
}

TEST_CASE("a pattern that looks like a binary selects that binary", "[pattern]") {
  CHECK(Parsed("libstorage.so").kind() == PatternKind::kBinary);
  CHECK(MatchesBinary("libstorage.so", "/usr/lib/libstorage.so"));
  CHECK(MatchesBinary("libstorage.so", "/usr/lib/libstorage.so.1.2"));
  CHECK(MatchesBinary("libstorage.so.1", "/usr/lib/libstorage.so.1.2"));
  CHECK_FALSE(MatchesBinary("libstorage.so.1", "/usr/lib/libstorage.so.11"));
  CHECK_FALSE(MatchesBinary("libstorage.so.1", "/usr/lib/libstorage.so"));
  CHECK_FALSE(MatchesBinary("libstorage.so", "/usr/lib/libstorage2.so"));
  CHECK_FALSE(MatchesBinary("libstorage.so", "/usr/lib/libstorage.so_old"));
  CHECK_FALSE(MatchesBinary("storage.so", "/usr/lib/libstorage.so"));
  CHECK(MatchesBinary("libst*.so", "/usr/lib/libstorage.so.1"));
  CHECK(MatchesBinary("lib:libstorage.so", "/usr/lib/libstorage.so.1"));
  CHECK(MatchesBinary("lib:my_*", "/opt/my_service"));
  CHECK_FALSE(MatchesBinary("my_*", "/opt/my_service"));
  CHECK(MatchesBinary("lib:bin/my_service", "/opt/bin/my_service"));
  CHECK_FALSE(MatchesBinary("lib:bin/my_service", "/opt/sbin/my_service"));
  CHECK(MatchesBinary("/usr/lib/libstorage.so", "/usr/lib/libstorage.so.1"));
  CHECK_FALSE(MatchesBinary("/lib/libstorage.so", "/usr/lib/libstorage.so.1"));
  CHECK(MatchesBinary("lib:/usr/lib/", "/usr/lib/x/liba.so"));
  CHECK(MatchesBinary("my_service", "/opt/my_service"));
  CHECK(MatchesBinary("my-service", "/opt/my-service"));
  CHECK(MatchesBinary("python3.11", "/usr/bin/python3.11"));
  CHECK_FALSE(MatchesBinary("my_service", "/opt/my_service2"));
  CHECK_FALSE(MatchesBinary("ns:my_service", "/opt/my_service"));
  CHECK_FALSE(MatchesBinary("libstorage.so", ""));
}

TEST_CASE("a name that is also the binary's own still names its function exactly", "[pattern]") {
  const Pattern pattern = Parsed("main");
  CHECK(pattern.Matches(KnownFunction("main", "/opt/main")) == Match::kExactFunction);
  CHECK(pattern.Matches(KnownFunction("other", "/opt/main")) == Match::kYes);
  CHECK(pattern.Matches(KnownFunction("other", "/opt/prog")) == Match::kNo);
}

TEST_CASE("a pattern that looks like a path selects source files", "[pattern]") {
  CHECK(Parsed("src/db/*.cc").kind() == PatternKind::kSource);
  CHECK(Parsed("table.cc").kind() == PatternKind::kSource);
  CHECK(MatchesSource("src/db/*.cc", "/home/u/p/src/db/table.cc"));
  CHECK(MatchesSource("src/db/*.cc", "src/db/table.cc"));
  CHECK_FALSE(MatchesSource("src/db/*.cc", "/p/src/db/table.h"));
  CHECK_FALSE(MatchesSource("src/db/*.cc", "/p/src/db/old/table.cc"));
  CHECK_FALSE(MatchesSource("src/db/*.cc", "/p/mysrc/db/table.cc"));
  CHECK(MatchesSource("src/**/*.cc", "/p/src/db/old/table.cc"));
  CHECK(MatchesSource("src/**/*.cc", "/p/src/table.cc"));
  CHECK(MatchesSource("src/**.cc", "/p/src/db/old/table.cc"));
  CHECK(MatchesSource("src/**", "/p/src/db/table.cc"));
  CHECK(MatchesSource("src/db/", "/p/src/db/table.cc"));
  CHECK(MatchesSource("src/db/", "/p/src/db/old/table.cc"));
  CHECK(MatchesSource("src/db", "/p/src/db/table.cc"));
  CHECK(MatchesSource("src:db", "/p/src/db/table.cc"));
  CHECK_FALSE(MatchesSource("src/db/", "/p/src/db"));
  CHECK_FALSE(MatchesSource("src/db", "/p/src/db2/table.cc"));
  CHECK(MatchesSource("table.cc", "/p/src/db/table.cc"));
  CHECK(MatchesSource("src:table.cc", "/p/src/db/table.cc"));
  CHECK_FALSE(MatchesSource("table.cc", "/p/src/db/mytable.cc"));
  CHECK(MatchesSource("*.h", "/p/src/db/table.h"));
  CHECK(MatchesSource("/p/src/", "/p/src/db/table.cc"));
  CHECK_FALSE(MatchesSource("/src/", "/p/src/db/table.cc"));
  CHECK_FALSE(MatchesSource("/p/src/", "p/src/db/table.cc"));
  CHECK(MatchesSource("./src/db/", "/p/src/db/table.cc"));
  CHECK(MatchesSource("src/db/", "/p/build/../src/./db//table.cc"));
  CHECK_FALSE(MatchesSource("build/", "/p/build/../src/db/table.cc"));
  CHECK(MatchesSource("my folder/", "/p/my folder/a.cc"));
  CHECK_FALSE(MatchesSource("src/db/", ""));
  std::string deep = "/a";
  for (int level = 0; level < 200; ++level) deep += "/d";
  CHECK(MatchesSource("src/db/", deep + "/src/db/table.cc"));
  CHECK_FALSE(MatchesSource("/a/", deep + "/src/db/table.cc"));
}

// A fact that costs time, and says so when somebody asks for it.
class CostlyFunction final : public Function {
 public:
  std::string_view name() const override { return "app::f"; }
  std::string_view module_path() const override { return "/opt/app"; }
  std::string_view source_file() const override {
    ++source_questions;
    return "/src/f.cc";
  }
  bool compiler_made() const override { return false; }

  mutable int source_questions = 0;
};

TEST_CASE("only patterns about source files ask for the source file", "[pattern]") {
  const CostlyFunction function;
  for (const char* text : {"app", "x::y", "libx.so", "lib:app", "*", "**::f", "other"}) {
    Parsed(text).Matches(function);
  }
  CHECK(function.source_questions == 0);
  CHECK(Parsed("f.cc").Matches(function) == Match::kYes);
  CHECK(function.source_questions == 1);
}

TEST_CASE("a bad pattern is refused with what to write instead", "[pattern]") {
  CHECK(ParseError("") ==
        "found \"\", expected a pattern: write for example pipeline, libstorage.so or src/db/");
  CHECK(ParseError("   ") ==
        "found \"\", expected a pattern: write for example pipeline, libstorage.so or src/db/");
  CHECK(ParseError("ns:") ==
        "found \"ns:\", expected a pattern after the prefix: write for example ns:pipeline");
  CHECK(ParseError("lib:") ==
        "found \"lib:\", expected a pattern after the prefix: write for example "
        "lib:libstorage.so");
  CHECK(ParseError("src:") ==
        "found \"src:\", expected a pattern after the prefix: write for example src:src/db/");
  CHECK(ParseError("app::Box<int") ==
        "found \"app::Box<int\", expected a closing bracket for each opening one: write for "
        "example app::Box<int>, or app::Box for all arguments");
  CHECK(ParseError("app::Box>") ==
        "found \"app::Box>\", expected a closing bracket for each opening one: write for example "
        "app::Box<int>, or app::Box for all arguments");
  CHECK(ParseError("a b") ==
        "found \"a b\", expected a name without spaces: write a,b for two patterns, a::b for one");
  CHECK(ParseError("a,b") ==
        "found \"a,b\", expected one pattern: write what stands on each side of the comma on its "
        "own");
  CHECK(ParseError("a\tb") == "found \"a\\tb\", expected a pattern without control characters");
  CHECK(ParseError("a::***") ==
        "found \"a::***\", expected at most two stars: write * within one component, ** across "
        "components");
  CHECK(ParseError("a**b") ==
        "found \"a**b\", expected ** on its own between separators: write a*::**::*b");
  CHECK(ParseError("src/a**b") ==
        "found \"src/a**b\", expected ** on its own between separators: write a*/**/*b");
  CHECK(ParseError("a::::b") ==
        "found \"a::::b\", expected a name between '::' and '::': write ** for any number of "
        "components");
  CHECK(ParseError("::") ==
        "found \"::\", expected a name: write for example pipeline or pipeline::run");
  CHECK(ParseError("app:run") ==
        "found \"app:run\", expected ns:, lib: or src: before a single colon: write app::run for "
        "a name");
  CHECK(ParseError("a::b:c") ==
        "found \"a::b:c\", expected '::' between components: write for example pipeline::run");
  CHECK(ParseError("app::run(int)") ==
        "found \"app::run(int)\", expected a name without its argument list: write app::run");
  CHECK(ParseError("src/../db") ==
        "found \"src/../db\", expected a path without '..': write the path's end, or all of it");
  CHECK(ParseError("/") == "found \"/\", expected a file or a folder: write for example src/db/");
  CHECK(ParseError(std::string(501, 'a')) ==
        "found \"" + std::string(60, 'a') + "...\", expected a pattern of at most 500 characters");
}

}  // namespace
}  // namespace autotrace::filters
