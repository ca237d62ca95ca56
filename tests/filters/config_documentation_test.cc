// docs/configuration.md is checked against the table of keys, so that it cannot fall behind.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "filters/config_keys.h"
#include "filters/config_loader.h"
#include "filters/pattern.h"

namespace autotrace::filters {
namespace {

std::string Document() {
  std::ifstream file(AUTOTRACE_CONFIGURATION_DOCUMENT);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string Code(std::string_view text) { return "`" + std::string(text) + "`"; }

// The cells of the table row that begins with this key; empty when there is none.
std::vector<std::string> RowOf(const std::vector<std::string>& lines, std::string_view key) {
  for (const std::string& line : lines) {
    if (!line.starts_with("| " + Code(key) + " |")) continue;
    std::vector<std::string> cells;
    std::istringstream stream(line.substr(1));
    for (std::string cell; std::getline(stream, cell, '|');) {
      const size_t begin = cell.find_first_not_of(' ');
      cells.push_back(
          begin == cell.npos ? "" : cell.substr(begin, cell.find_last_not_of(' ') - begin + 1));
    }
    return cells;
  }
  return {};
}

// The text between the fences of the first block of this kind after a heading.
std::string BlockAfter(const std::string& text, const std::string& heading) {
  const size_t at = text.find("\n" + heading + "\n");
  REQUIRE(at != std::string::npos);
  const size_t fence = text.find("```yaml\n", at);
  REQUIRE(fence != std::string::npos);
  const size_t begin = fence + 8;
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST_CASE("the document has each key with its variables, default and meaning", "[documentation]") {
  const std::vector<std::string> lines = Lines(Document());
  for (const ConfigKey& key : ConfigKeys()) {
    INFO(key.name);
    const std::vector<std::string> cells = RowOf(lines, key.name);
    REQUIRE(cells.size() == 5);
    std::string variables = key.environment == nullptr ? "" : Code(key.environment);
    for (const char* variable : key.otel_environment) {
      variables += (variables.empty() ? "" : ", ") + Code(variable);
    }
    CHECK(cells[1] == (variables.empty() ? "file only" : variables));
    const std::string default_value =
        key.default_text.empty() ? key.write(Config()) : std::string(key.default_text);
    CHECK(cells[2] ==
          (default_value == "the executable's name" ? default_value : Code(default_value)));
    CHECK(cells[3] == key.meaning);
    CHECK_FALSE(cells[4].empty());
  }
}

TEST_CASE("the document has no row for a key that does not exist", "[documentation]") {
  for (const std::string& line : Lines(Document())) {
    if (!line.starts_with("| `") || line.find("AUTOTRACE_") == line.npos) continue;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    INFO(key);
    CHECK(FindConfigKey(key) < ConfigKeys().size());
  }
}

TEST_CASE("each key's example is accepted", "[documentation]") {
  const std::vector<std::string> lines = Lines(Document());
  for (const ConfigKey& key : ConfigKeys()) {
    std::string example = RowOf(lines, key.name).at(4);
    INFO(key.name << ": " << example);
    REQUIRE(example.size() > 2);
    example = std::string(key.name) + ": " + example.substr(1, example.size() - 2);
    const LoadResult result = ParseConfig(example, "example");
    CHECK(result.error == "");
  }
}

TEST_CASE("the complete example is accepted and has every filter key", "[documentation]") {
  const LoadResult result = ParseConfig(BlockAfter(Document(), "## A complete example"), "example");
  INFO(result.error);
  REQUIRE(result.error.empty());
  for (const EffectiveValue& effective : result.effective) {
    INFO(effective.key);
    for (std::string_view key : {"modules", "exclude", "exclude_subtree", "roots", "compiler_made",
                                 "min_duration", "min_duration_for", "min_duration_mode",
                                 "quiet_after", "max_depth", "pipelines", "pipeline_id"}) {
      if (effective.key == key) CHECK(effective.source == Source::kFile);
    }
  }
}

TEST_CASE("every pattern in the table of patterns parses", "[documentation]") {
  const std::string text = Document();
  const size_t begin = text.find("\n## Patterns\n");
  REQUIRE(begin != std::string::npos);
  int patterns = 0;
  for (const std::string& line : Lines(text.substr(begin, text.find("\n## ", begin + 1) - begin))) {
    if (!line.starts_with("| `")) continue;
    const std::string pattern_text = line.substr(3, line.find('`', 3) - 3);
    Pattern pattern;
    std::string error;
    INFO(pattern_text);
    CHECK(Pattern::Parse(pattern_text, &pattern, &error));
    ++patterns;
  }
  CHECK(patterns >= 10);
}

}  // namespace
}  // namespace autotrace::filters
