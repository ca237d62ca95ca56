// Which functions keep their hooks, and why: one decision for both compilers. A function is asked
// for what the decision needs and no more, since finding it out costs compile time.
//
//   marked AUTOTRACE_NO_TRACE               dropped
//   marked AUTOTRACE_ALWAYS_TRACE           kept
//   of the standard library                 dropped, and not listed
//   matched by none of the patterns         dropped
//   compiler-made                           dropped
//   straight-line leaf defined inline       dropped, unless a pattern spells out this very function
//   in the profile                          dropped, likewise
//   anything else                           kept
#ifndef AUTOTRACE_PLUGIN_DECISION_H_
#define AUTOTRACE_PLUGIN_DECISION_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <string_view>

#include "filters/function_filter.h"
#include "plugin/settings.h"

namespace autotrace::plugin {

// A function as the compiler sees it.
class CompiledFunction {
 public:
  // As the linker will know it: "_ZN3app3runEv", "main".
  virtual std::string linker_name() const = 0;
  // The file that its definition stands in, as the compiler was given it; empty when unknown.
  virtual std::string source_file() const = 0;
  virtual bool in_standard_library() const = 0;
  virtual bool is_marked_no_trace() const = 0;
  virtual bool is_marked_always_trace() const = 0;
  // An implicit, inherited or defaulted constructor, destructor or assignment.
  virtual bool is_compiler_made() const = 0;
  // In a class, `inline`, `constexpr`, or an instance of a template.
  virtual bool is_defined_inline() const = 0;
  // Has no loop, and no call but of functions that are defined inline and straight-line themselves.
  // False where that is not certain.
  virtual bool is_straight_line() const = 0;

 protected:
  ~CompiledFunction() = default;
};

enum class Reason : uint8_t {
  kKept,
  kAlwaysTrace,
  // From here on, dropped.
  kNoTrace,
  kStandardLibrary,
  kNotMatched,
  kCompilerMade,
  kStraightLine,
  kShort,
};

struct Decision {
  Reason reason = Reason::kKept;
  std::string pattern;  // that it matched; empty: none was given, or it does not matter

  bool is_kept() const { return reason < Reason::kNoTrace; }
};

class Decider {
 public:
  explicit Decider(Settings settings);

  const Settings& settings() const { return settings_; }
  Decision Decide(const CompiledFunction& function) const;
  // About what the compiler made of its own accord, so that nothing but its name is known.
  Decision DecideByName(const std::string& linker_name) const;

 private:
  Settings settings_;
  // Null: no pattern was given, or one that only the loader's view of the program can decide about
  // (a binary), so that everything may be wanted.
  std::unique_ptr<filters::FunctionFilter> filter_;
  bool needs_source_files_ = false;
};

// For people: "inline, without loop or call".
std::string Describe(const Decision& decision);

// Is this a path of a header of the standard library, or of the compiler's own ones? To be asked
// about system headers only: a project may lie in a folder called gcc.
bool IsStandardLibraryHeader(std::string_view path);

// Is this the linker name of a function in namespace std, or in those that its implementations
// have? Where no file is known.
bool IsStandardLibraryName(std::string_view linker_name);

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_DECISION_H_
