// What the plugin's half in Clang's front end hands to its half in the optimizer: the decisions of
// one translation unit, by the functions' linker names. Clang throws its trees away in between.
//
// Some names cannot be told in advance: Clang numbers lambdas and unnamed classes of functions that
// no other translation unit sees ("$_0") when it comes across them. Such functions are marked with
// an annotation that says which verdict is theirs.
#ifndef AUTOTRACE_PLUGIN_LLVM_VERDICTS_H_
#define AUTOTRACE_PLUGIN_LLVM_VERDICTS_H_

#include <stddef.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugin/decision.h"
#include "plugin/settings.h"

namespace autotrace::plugin {

inline constexpr char kVerdictAnnotation[] = "autotrace_verdict:";  // a number follows

struct Verdict {
  Decision decision;
  std::string listed_source_file;
};

struct Verdicts {
  Settings settings;
  std::vector<Verdict> all;
  std::unordered_map<std::string, size_t> by_name;
};

// Of the translation unit that is being compiled.
Verdicts& CurrentVerdicts();

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_LLVM_VERDICTS_H_
