// What a compiler plugin (plugin/) left hooks out of: the section .autotrace.dropped of a binary.
// The plugins write it, the runtime's warning about patterns that matched nothing and the command
// read it.
//
// The section is not loaded with the program and outlives strip. It holds texts that each end in a
// zero byte, in any order; the linker keeps one of several that are the same. A text's first
// character says what it is:
//
//   f/home/me/src/point.h     a source file that functions were dropped of
//   l_ZNK3app5Point1xEv       a dropped function; its reason is the character: l, c, n, m, s below
//   lapp::Box<>::get          of all instances of a template
//
// A name that begins with "_Z", or holds no "::", is a linker name. Any other one is qualified, as
// symbolizer::QualifiedName gives it, with the template arguments left out: a program has many
// instances of one template, and their names are long.
#ifndef AUTOTRACE_FILTERS_DROPPED_FUNCTIONS_H_
#define AUTOTRACE_FILTERS_DROPPED_FUNCTIONS_H_

#include <stddef.h>

#include <array>
#include <string>
#include <string_view>

#include "filters/pattern.h"

namespace autotrace::filters {

inline constexpr char kDroppedSection[] = ".autotrace.dropped";
inline constexpr char kDroppedSourceFile = 'f';

enum class DroppedReason : char {
  kStraightLine = 'l',
  kCompilerMade = 'c',
  kNoTrace = 'n',
  kNotMatched = 'm',  // by the patterns that the compiler was given
  kShort = 's',
};
inline constexpr std::array kDroppedReasons = {
    DroppedReason::kStraightLine, DroppedReason::kCompilerMade, DroppedReason::kNoTrace,
    DroppedReason::kNotMatched, DroppedReason::kShort};

// For people: "inline, without loop or call".
std::string_view Describe(DroppedReason reason);

// "app::Box<int>::get" to "app::Box<>::get", "app::run<int>(long)::{lambda()#1}::operator()" to
// "app::run<>()::{lambda()#1}::operator()".
std::string WithoutTemplateArguments(std::string_view name);

// The section's functions, one after the other. Points into it; damaged bytes give fewer or
// stranger names.
class DroppedFunctions {
 public:
  struct Entry {
    DroppedReason reason = DroppedReason::kStraightLine;
    std::string_view name;
    bool is_linker_name = false;
  };

  explicit DroppedFunctions(std::string_view section) : rest_(section) {}
  // False at the end.
  bool Next(Entry* entry);

 private:
  std::string_view rest_;
};

// How much of a section a pattern matches.
struct DroppedMatch {
  std::array<size_t, kDroppedReasons.size()> functions = {};  // in the order of kDroppedReasons
  size_t source_files = 0;

  bool any() const;
  void Add(const DroppedMatch& other);
  // "12 functions have no hooks: 8 inline, without loop or call; 4 made by the compiler". Empty
  // when there is no match.
  std::string Describe() const;
};

// `qualified_name` gives the name for a linker name; filters know none. `binary` is the path of the
// binary that holds the section. A pattern with template arguments stands for all instances. Not on
// traced threads: it allocates.
DroppedMatch MatchDropped(const Pattern& pattern, std::string_view section, std::string_view binary,
                          std::string (*qualified_name)(std::string_view linker_name));

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_DROPPED_FUNCTIONS_H_
