#include "filters/dropped_functions.h"

#include <catch2/catch.hpp>
#include <string>

namespace autotrace::filters {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): literals with zeros

// Stands for the demangler: linker names here are "_Z" and the name.
std::string Name(std::string_view linker_name) {
  return std::string(linker_name.starts_with("_Z") ? linker_name.substr(2) : linker_name);
}

const std::string kSection =
    "l_Zapp::Point::x\0c_Zapp::Point::Point\0lapp::Box<>::get\0mmain\0n_Zapp::quiet\0"
    "fsrc/point.h\0f/opt/lib/box.h\0"s;

DroppedMatch Matched(const char* text, std::string_view section = kSection) {
  Pattern pattern;
  std::string error;
  REQUIRE(Pattern::Parse(text, &pattern, &error));
  return MatchDropped(pattern, section, "/usr/bin/my_service", Name);
}

TEST_CASE("template arguments and parameters are left out of a name", "[dropped]") {
  CHECK(WithoutTemplateArguments("app::Box<int>::get") == "app::Box<>::get");
  CHECK(WithoutTemplateArguments("app::run") == "app::run");
  CHECK(WithoutTemplateArguments("app::run<a::b>(long)::{lambda(a::b)#1}::operator()") ==
        "app::run<>()::{lambda(a::b)#1}::operator()");
  CHECK(WithoutTemplateArguments("app::operator<< <int>") == "app::operator<< <>");
  CHECK(WithoutTemplateArguments("app::Text::operator std::string") ==
        "app::Text::operator std::string");
  // Doing it again changes nothing.
  CHECK(WithoutTemplateArguments("app::Box<>::get") == "app::Box<>::get");
}

TEST_CASE("entries come with their reasons and kinds of name", "[dropped]") {
  DroppedFunctions functions(kSection);
  DroppedFunctions::Entry entry;
  REQUIRE(functions.Next(&entry));
  CHECK(entry.reason == DroppedReason::kStraightLine);
  CHECK(entry.name == "_Zapp::Point::x");
  CHECK(entry.is_linker_name);
  REQUIRE(functions.Next(&entry));
  CHECK(entry.reason == DroppedReason::kCompilerMade);
  REQUIRE(functions.Next(&entry));
  CHECK(entry.name == "app::Box<>::get");
  CHECK_FALSE(entry.is_linker_name);
  REQUIRE(functions.Next(&entry));
  CHECK(entry.name == "main");
  CHECK(entry.is_linker_name);
  REQUIRE(functions.Next(&entry));
  CHECK(entry.reason == DroppedReason::kNoTrace);
  CHECK_FALSE(functions.Next(&entry));
}

TEST_CASE("a section that was padded, cut off or damaged is read as far as it goes", "[dropped]") {
  CHECK(Matched("app", "\0\0lapp::a\0\0lapp::b"s).Describe() ==
        "2 that do: inline, without loop or call");
  CHECK_FALSE(Matched("app", "").any());
  CHECK_FALSE(Matched("app", "x"s).any());
  CHECK_FALSE(Matched("app", "zapp::a\0l\0"s).any());
}

TEST_CASE("a pattern is compared with what was dropped", "[dropped]") {
  CHECK(Matched("app::Point::x").Describe() == "1 that does: inline, without loop or call");
  CHECK(Matched("app::Point").Describe() ==
        "2 that do: 1 inline, without loop or call; 1 made by the compiler");
  CHECK(Matched("app::quiet").Describe() == "1 that does: marked AUTOTRACE_NO_TRACE");
  CHECK(Matched("main").Describe() ==
        "1 that does: matched by none of the patterns that the compiler was given");
  CHECK(Matched("*").Describe().starts_with("5 that do: "));
  CHECK(Matched("my_service").Describe().starts_with("5 that do: "));
  CHECK(Matched("nothing").Describe().empty());
  CHECK_FALSE(Matched("nothing").any());
}

TEST_CASE("a pattern with template arguments stands for all instances", "[dropped]") {
  CHECK(Matched("app::Box<int>::get").any());
  CHECK(Matched("app::Box<int>").any());
  CHECK(Matched("app::Box").any());
  CHECK_FALSE(Matched("app::Boxes<int>").any());
}

TEST_CASE("a source pattern is compared with the files", "[dropped]") {
  CHECK(Matched("src/").Describe() == "functions of 1 file that does");
  CHECK(Matched("src:*.h").Describe() == "functions of 2 files that do");
  CHECK_FALSE(Matched("db/").any());
}

TEST_CASE("matches of several sections add up", "[dropped]") {
  DroppedMatch all;
  CHECK_FALSE(all.any());
  all.Add(Matched("app::Point"));
  all.Add(Matched("app::Point::x"));
  all.Add(Matched("src/"));
  CHECK(all.Describe() == "3 that do: 2 inline, without loop or call; 1 made by the compiler");
}

}  // namespace
}  // namespace autotrace::filters
