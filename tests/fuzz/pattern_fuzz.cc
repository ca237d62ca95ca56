// Input: lines: a pattern, a function's name, its binary's path, its source file. Patterns come
// from the user, names from whatever a binary's symbol table says.
#include <string>

#include "filters/pattern.h"
#include "tests/fuzz/fuzz_target.h"

namespace autotrace::fuzz {
namespace {

std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

class NamedFunction final : public filters::Function {
 public:
  explicit NamedFunction(std::string_view lines)
      : name_(TakeLine(&lines)), module_path_(TakeLine(&lines)), source_file_(TakeLine(&lines)) {}
  std::string_view name() const override { return name_; }
  std::string_view module_path() const override { return module_path_; }
  std::string_view source_file() const override { return source_file_; }
  bool compiler_made() const override { return false; }

 private:
  std::string_view name_;
  std::string_view module_path_;
  std::string_view source_file_;
};

}  // namespace

void TestInput(std::string_view bytes) {
  using filters::Pattern;
  std::string_view lines = bytes;
  const std::string_view text = TakeLine(&lines);
  const NamedFunction function(lines);
  Pattern pattern;
  std::string error;
  const bool parsed = Pattern::Parse(text, &pattern, &error);
  const Pattern::Match match = pattern.Matches(function);
  Require(parsed || !error.empty(), "a refusal says what is wrong");
  Require(parsed || match == Pattern::Match::kNo, "a refused pattern matches nothing");
}

}  // namespace autotrace::fuzz
