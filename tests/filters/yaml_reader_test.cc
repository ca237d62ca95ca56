#include "filters/yaml_reader.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <string_view>

namespace autotrace::filters {
namespace {

using Kind = YamlValue::Kind;

YamlValue Read(std::string_view text) {
  YamlValue value;
  YamlError error;
  const bool read = ReadYaml(text, &value, &error);
  INFO(error.text);
  REQUIRE(read);
  return value;
}

YamlError ReadError(std::string_view text) {
  YamlValue value;
  YamlError error;
  REQUIRE_FALSE(ReadYaml(text, &value, &error));
  return error;
}

std::string Repeated(std::string_view text, size_t size) {
  std::string out;
  while (out.size() + text.size() <= size) out += text;
  return out;
}

TEST_CASE("values remember where they stand", "[yaml]") {
  const YamlValue root = Read("a: 1\nb:\n  - x\n  - {y: \"z\"}\n");
  REQUIRE(root.kind == Kind::kMap);
  REQUIRE(root.entries.size() == 2);
  CHECK(root.entries[0].key.text == "a");
  CHECK(root.entries[0].value.text == "1");
  CHECK(root.entries[0].value.position.line == 1);
  CHECK(root.entries[0].value.position.column == 4);
  const YamlValue& list = root.entries[1].value;
  REQUIRE(list.kind == Kind::kList);
  REQUIRE(list.items.size() == 2);
  CHECK(list.items[1].entries[0].value.text == "z");
  CHECK(list.items[1].position.line == 4);
  CHECK(list.items[1].position.column == 5);
}

TEST_CASE("nothing, null and an empty text are told apart", "[yaml]") {
  CHECK(Read("").kind == Kind::kNothing);
  CHECK(Read("# only a comment\n").kind == Kind::kNothing);
  CHECK(Read("a:\n").entries[0].value.kind == Kind::kNothing);
  CHECK(Read("a: ~\n").entries[0].value.kind == Kind::kNothing);
  CHECK(Read("a: \"\"\n").entries[0].value.kind == Kind::kText);
  CHECK(Read("a: \"null\"\n").entries[0].value.kind == Kind::kText);
}

TEST_CASE("broken YAML is told with line and column", "[yaml]") {
  const YamlError open = ReadError("a: [1, 2\nb: 3\n");
  CHECK(open.text ==
        "found broken YAML: while parsing a flow sequence, did not find expected ',' or ']'");
  CHECK(open.position.line == 2);
  const YamlError tab = ReadError("a:\n\tb: 1\n");
  CHECK(tab.position.line == 2);
  CHECK(tab.position.column == 1);
  const YamlError bytes = ReadError("a: 1\nb: \xff\n");
  CHECK(bytes.text == "found broken text: invalid leading UTF-8 octet");
  CHECK(bytes.position.line == 2);
  CHECK(bytes.position.column == 4);
  CHECK(ReadError("a: 1\n---\nb: 2\n").text == "found a second document, expected one");
  CHECK(ReadError("{[a]: 1}\n").text == "found a list as a key, expected text");
}

TEST_CASE("a pattern that YAML takes for an alias gets the advice to quote it", "[yaml]") {
  CHECK(ReadError("modules: [*]\n").text ==
        "found broken YAML: while scanning an alias, did not find expected alphabetic or numeric "
        "character (a value that begins with * needs quotes)");
  const YamlError alias = ReadError("modules: [*app]\n");
  CHECK(alias.text ==
        "found the alias *app, expected a value (one that begins with * needs quotes)");
  CHECK(alias.position.column == 11);
}

TEST_CASE("a key that stands twice is an error at its second place", "[yaml]") {
  const YamlError error = ReadError("a: 1\nb: 2\na: 3\n");
  CHECK(error.key == "a");
  CHECK(error.text == "found this key a second time, expected it once");
  CHECK(error.position.line == 3);
}

TEST_CASE("nesting, size and number of values are limited", "[yaml]") {
  CHECK(ReadError(std::string(100'000, '[')).text ==
        "found values nested deeper than 16 levels, expected fewer");
  CHECK(ReadError(Repeated("- ", 100'000)).text ==
        "found values nested deeper than 16 levels, expected fewer");
  CHECK(ReadError(Repeated("{a: ", 100'000)).text ==
        "found values nested deeper than 16 levels, expected fewer");
  CHECK(ReadError("[" + Repeated("a,", 900'000) + "]").text ==
        "found more than 50000 values, expected fewer");
  CHECK(ReadError(std::string(kMaximumYamlSize + 1, ' ')).text ==
        "found 1048577 bytes, expected at most 1MiB");
}

TEST_CASE("hostile files are read or refused in bounded time", "[yaml]") {
  const auto begin = std::chrono::steady_clock::now();
  for (std::string_view piece :
       {"[",   "{",     "- ",       "? ",       "a: ",   "&a [*a,",    "\"",   "'",     "|\n",
        "!",   "%",     "a\n",      "a: b\n",   "#",     "\n",         " ",    "- a\n", "&a ",
        "*a ", "---\n", "\xc3\xa4", "{a: b}, ", "? a\n", "a:\n  b:\n", "!!x ", ","}) {
    YamlValue value;
    YamlError error;
    ReadYaml(Repeated(piece, kMaximumYamlSize), &value, &error);
  }
  // The alias bomb of nine levels: refused at its first alias.
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    bomb += std::string(1, name) + ": &" + name + " [";
    for (int count = 0; count < 9; ++count) {
      bomb += "*" + std::string(1, static_cast<char>(name - 1)) + ", ";
    }
    bomb += "]\n";
  }
  CHECK(ReadError(bomb).position.line == 2);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

}  // namespace
}  // namespace autotrace::filters
