// Pattern::Parse: what kind of pattern a text is, its components, and what is wrong with it.
#include <stddef.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filters/message_text.h"
#include "filters/name_components.h"
#include "filters/pattern.h"

namespace autotrace::filters {
namespace {

// A quoted pattern must fit into the 1,024 characters that YAML allows a key.
constexpr size_t kMaximumLength = 500;
constexpr std::string_view kSourceSuffixes[] = {
    ".c",   ".cc",  ".cpp", ".cxx", ".c++", ".C",   ".h",    ".hh",  ".hpp", ".hxx", ".h++",
    ".ipp", ".inl", ".tcc", ".tpp", ".txx", ".ixx", ".cppm", ".ccm", ".cu",  ".m",   ".mm"};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool HasControlCharacter(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

bool HasWildcard(std::string_view text) { return text.find_first_of("*?") != text.npos; }

bool HasSourceSuffix(std::string_view text) {
  for (std::string_view suffix : kSourceSuffixes) {
    if (text.size() > suffix.size() && text.ends_with(suffix)) return true;
  }
  return false;
}

// libstorage.so, libstorage.so.1, libstorage.so*
bool LooksLikeLibrary(std::string_view text) {
  const size_t slash = text.rfind('/');
  if (slash != text.npos) text.remove_prefix(slash + 1);
  const size_t found = text.rfind(".so");
  if (found == text.npos) return false;
  const std::string_view rest = text.substr(found + 3);
  return rest.empty() || rest[0] == '.' || rest[0] == '*' || rest[0] == '?';
}

// A '/' outside brackets that is not the operator.
bool HasSlash(std::string_view text) {
  for (NameScanner scanner(text); !scanner.AtEnd(); scanner.Advance()) {
    if (scanner.outside() && text[scanner.position()] == '/') return true;
  }
  return false;
}

bool CanOnlyBeName(std::string_view text) {
  return text.find("::") != text.npos || text.find_first_of("<({~") != text.npos ||
         text.starts_with("operator") || HasWildcard(text);
}

PatternKind KindOf(std::string_view text) {
  if (text == "*" || text == "**") return PatternKind::kEverything;
  if (HasSlash(text)) {
    return LooksLikeLibrary(text) ? PatternKind::kBinary : PatternKind::kSource;
  }
  if (text.find("::") == text.npos) {
    if (HasSourceSuffix(text)) return PatternKind::kSource;
    if (LooksLikeLibrary(text)) return PatternKind::kBinary;
  }
  return CanOnlyBeName(text) ? PatternKind::kName : PatternKind::kNameOrBinary;
}

}  // namespace

class PatternParser {
 public:
  PatternParser(std::string_view text, Pattern* pattern, std::string* error)
      : text_(Trimmed(text)), pattern_(*pattern), error_(*error) {}

  bool Parse() {
    pattern_ = Pattern();
    pattern_.text_ = std::string(text_);
    std::string_view body;
    if (!CheckCharacters() || !TakePrefix(&body)) return false;
    switch (pattern_.kind_) {
      case PatternKind::kEverything:
        return true;
      case PatternKind::kName:
      case PatternKind::kNameOrBinary:
        return ParseName(body);
      case PatternKind::kBinary:
      case PatternKind::kSource:
        return ParsePath(body);
    }
    return false;
  }

 private:
  // Always false, so that callers can return it.
  bool Fail(std::string_view expected) {
    error_ = "found " + Quoted(text_) + ", expected " + std::string(expected);
    return false;
  }

  bool CheckCharacters() {
    if (text_.empty()) {
      return Fail("a pattern: write for example pipeline, libstorage.so or src/db/");
    }
    if (text_.size() > kMaximumLength) {
      return Fail("a pattern of at most " + std::to_string(kMaximumLength) + " characters");
    }
    if (HasControlCharacter(text_)) return Fail("a pattern without control characters");
    return true;
  }

  bool TakePrefix(std::string_view* body) {
    *body = text_;
    const size_t colon = text_.find(':');
    const std::string_view prefix = text_.substr(0, colon);
    const bool word = colon != text_.npos && !prefix.empty() &&
                      prefix.find_first_not_of(
                          "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == prefix.npos;
    // "ns::run" is a function in a namespace called ns; "ns:::run" is "::run" with a prefix.
    const size_t colons_end = word ? text_.find_first_not_of(':', colon) : 0;
    const size_t colons = word ? (colons_end == text_.npos ? text_.size() : colons_end) - colon : 0;
    const bool known = prefix == "ns" || prefix == "lib" || prefix == "src";
    if (!word || colons == 2 || (!known && colons != 1)) {
      pattern_.kind_ = KindOf(text_);
      return true;
    }
    *body = text_.substr(colon + 1);
    if (prefix == "ns") {
      pattern_.kind_ = PatternKind::kName;
    } else if (prefix == "lib") {
      pattern_.kind_ = PatternKind::kBinary;
    } else if (prefix == "src") {
      pattern_.kind_ = PatternKind::kSource;
    } else {
      return Fail("ns:, lib: or src: before a single colon: write " + std::string(prefix) +
                  "::" + std::string(text_.substr(colon + colons)) + " for a name");
    }
    if (body->empty()) {
      return Fail("a pattern after the prefix: write for example " + std::string(text_) +
                  (prefix == "ns"    ? "pipeline"
                   : prefix == "lib" ? "libstorage.so"
                                     : "src/db/"));
    }
    return true;
  }

  bool ParseName(std::string_view body) {
    NameScanner scanner(body);
    while (!scanner.AtEnd()) scanner.Advance();
    if (!scanner.balanced()) {
      return Fail(
          "a closing bracket for each opening one: write for example app::Box<int>, or "
          "app::Box for all arguments");
    }
    const NameComponents components(body);
    if (components.size() == 0) {
      return Fail("a name: write for example pipeline or pipeline::run");
    }
    const size_t last = components.size() - 1;
    const std::string_view last_text = components.with_arguments(last);
    const size_t end = static_cast<size_t>(last_text.data() - body.data()) + last_text.size();
    if (!CheckNameCharacters(body.substr(0, end))) return false;
    if (components.size() == NameComponents::kMaximum) {
      return Fail("a name of fewer than " + std::to_string(NameComponents::kMaximum) +
                  " components");
    }
    if (components.is_function(last)) {
      return Fail("a name without its argument list: write " +
                  std::string(Trimmed(body.substr(0, end))));
    }
    for (size_t index = 0; index <= last; ++index) {
      if (components.base(index).empty()) {
        return Fail("a name between '::' and '::': write ** for any number of components");
      }
      if (!AddNameComponent(components.base(index), components.with_arguments(index))) return false;
    }
    return true;
  }

  // What the names of functions do not hold outside of brackets.
  bool CheckNameCharacters(std::string_view name) {
    for (NameScanner scanner(name); !scanner.AtEnd();) {
      if (scanner.AtSeparator()) {
        scanner.SkipSeparator();
        continue;
      }
      const size_t position = scanner.position();
      const char c = name[position];
      const std::string_view rest = Trimmed(name.substr(position));
      // "operator< <int>" has a space before its arguments.
      if (scanner.outside() && c == ' ' && !rest.empty() && rest[0] != '<') {
        const std::string before(Trimmed(name.substr(0, position)));
        return Fail("a name without spaces: write " + before + "," + std::string(rest) +
                    " for two patterns, " + before + "::" + std::string(rest) + " for one");
      }
      if (scanner.outside() && c == ',') {
        return Fail("one pattern: write what stands on each side of the comma on its own");
      }
      if (scanner.outside() && c == ':') {
        return Fail("'::' between components: write for example pipeline::run");
      }
      scanner.Advance();
    }
    return true;
  }

  bool AddNameComponent(std::string_view base, std::string_view with_arguments) {
    const bool arguments = with_arguments.size() > base.size();
    std::string glob;
    for (char c : arguments ? with_arguments : base) {
      if (c != ' ') glob += c;
    }
    // In template arguments "**" is a pointer to a pointer, as well as a glob.
    if (arguments || base.find("**") == base.npos) {
      AddComponent(std::move(glob), arguments);
      return true;
    }
    return AddComponentWithDoubleStar(std::move(glob), "::");
  }

  bool ParsePath(std::string_view body) {
    pattern_.absolute_ = body.front() == '/';
    pattern_.folder_ = body.back() == '/';
    while (!body.empty()) {
      const size_t slash = body.find('/');
      const std::string_view component = body.substr(0, slash);
      body = slash == body.npos ? std::string_view() : body.substr(slash + 1);
      if (component.empty() || component == ".") continue;
      if (component == "..") return Fail("a path without '..': write the path's end, or all of it");
      if (component.find("**") == component.npos) {
        AddComponent(std::string(component), /*with_arguments=*/false);
      } else if (!AddComponentWithDoubleStar(std::string(component), "/")) {
        return false;
      }
    }
    if (pattern_.components_.empty()) {
      return Fail("a file or a folder: write for example src/db/");
    }
    return true;
  }

  // "**" stands for whole components, so "**x" is "**::*x" and "x**" is "x*::**".
  bool AddComponentWithDoubleStar(std::string glob, const std::string& separator) {
    if (glob.find("***") != glob.npos) {
      return Fail("at most two stars: write * within one component, ** across components");
    }
    const bool before = glob.starts_with("**");
    if (before) AddAny();
    if (glob == "**") return true;
    if (before) glob.erase(0, 1);
    const bool after = glob.ends_with("**");
    if (after) glob.pop_back();
    const size_t inside = glob.find("**");
    if (inside != glob.npos) {
      return Fail("** on its own between separators: write " + glob.substr(0, inside + 1) +
                  separator + "**" + separator + glob.substr(inside + 1));
    }
    AddComponent(std::move(glob), /*with_arguments=*/false);
    if (after) AddAny();
    return true;
  }

  void AddComponent(std::string glob, bool with_arguments) {
    Pattern::Component component;
    component.wildcard = HasWildcard(glob);
    component.with_arguments = with_arguments;
    component.glob = std::move(glob);
    pattern_.wildcard_ = pattern_.wildcard_ || component.wildcard;
    pattern_.components_.push_back(std::move(component));
  }

  void AddAny() {
    Pattern::Component component;
    component.any = true;
    component.wildcard = true;
    pattern_.wildcard_ = true;
    pattern_.components_.push_back(std::move(component));
  }

  std::string_view text_;
  Pattern& pattern_;
  std::string& error_;
};

bool Pattern::Parse(std::string_view text, Pattern* pattern, std::string* error) {
  try {
    if (PatternParser(text, pattern, error).Parse()) return true;
  } catch (const std::exception&) {
    *error = "out of memory";  // short enough to need none
  }
  // What is left matches nothing.
  pattern->kind_ = PatternKind::kName;
  pattern->components_.clear();
  return false;
}

}  // namespace autotrace::filters
