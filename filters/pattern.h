// Patterns name functions: by namespace, class or function name, by binary, or by source file.
//
//   pattern                 matches
//   pipeline                namespace, class or exact function: pipeline::run, pipeline::detail::f;
//                           not pipeline2::run, not x::pipeline::run
//   ns:pipeline             the same, said explicitly
//   libstorage.so           every function of that loaded binary (looks like a binary's file name:
//                           contains ".so", or equals the base name of a loaded binary)
//   lib:my_service          the same, said explicitly; libstorage.so also means libstorage.so.1.2
//   src/db/*.cc             functions written in such a source file (holds a '/', or ends in a
//                           source suffix); relative patterns match the path's end
//   src/db/                 functions written in any file below such a folder
//   src:table.cc            the same, said explicitly
//   app::*::run             globs: '*' stays within one component (between '::' or '/'),
//                           '**' stands for any number of components, '?' is one character
//   *                       everything instrumented
//
// Template arguments: a pattern without '<' matches whatever the arguments are (app::twice matches
// app::twice<int>). A lambda, or a class inside a function, belongs to that function: app::run also
// matches app::run()::{lambda()#1}::operator(). Matching allocates nothing, takes no lock and is
// async-signal-safe.
#ifndef AUTOTRACE_FILTERS_PATTERN_H_
#define AUTOTRACE_FILTERS_PATTERN_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

namespace autotrace::filters {

class NameComponents;
class PathComponents;
class PatternParser;

// What a pattern looks at. Source file and compiler_made cost time to find out, so they are asked
// for only when a pattern or a rule needs them.
class Function {
 public:
  // Qualified, as symbolizer::QualifiedName gives it. Valid as long as this object.
  virtual std::string_view name() const = 0;
  // Path of the loaded binary. Valid as long as this object.
  virtual std::string_view module_path() const = 0;
  // Empty when unknown. Valid until the next call on this object.
  virtual std::string_view source_file() const = 0;
  virtual bool compiler_made() const = 0;

 protected:
  ~Function() = default;
};

enum class PatternKind : uint8_t { kEverything, kName, kBinary, kSource, kNameOrBinary };

class Pattern {
 public:
  enum class Match : uint8_t {
    kNo,
    kYes,
    kInsideFunction,  // a lambda, or a local class's member, inside of a function that matches
    kExactFunction,   // the pattern spells out this very function
  };

  // Parses one pattern; spaces around it are ignored. On failure returns false and says in *error
  // what was found and what was expected; *pattern then matches nothing. Does not throw.
  static bool Parse(std::string_view text, Pattern* pattern, std::string* error);

  // Async-signal-safe; callable from several threads at once.
  Match Matches(const Function& function) const noexcept;

  // The same for callers that have many patterns and take a function apart only once: each looks at
  // one side of a function, and answers kNo when the pattern's kind does not look there.
  Match MatchesName(const NameComponents& name) const noexcept;
  bool MatchesBinary(const PathComponents& module_path) const noexcept;
  bool MatchesSource(const PathComponents& source_file) const noexcept;

  const std::string& text() const { return text_; }
  PatternKind kind() const { return kind_; }
  bool looks_at_source() const { return kind_ == PatternKind::kSource; }

 private:
  friend class PatternParser;

  struct Component {
    std::string glob;             // of a name: without spaces
    bool any = false;             // "**": any number of components
    bool wildcard = false;        // holds '*' or '?'
    bool with_arguments = false;  // holds template arguments
  };

  bool ComponentMatchesName(const Component& component, const NameComponents& name,
                            size_t index) const noexcept;
  bool ComponentMatchesPath(const Component& component, bool last,
                            std::string_view text) const noexcept;
  bool MatchesPath(const PathComponents& path) const noexcept;

  std::string text_;  // as the user wrote it
  PatternKind kind_ = PatternKind::kName;
  std::vector<Component> components_;
  bool wildcard_ = false;  // some component is a glob
  bool absolute_ = false;  // of a path: begins with '/'
  bool folder_ = false;    // of a path: ended in '/'
};

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_PATTERN_H_
