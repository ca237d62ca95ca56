// What a configuration selects among a binary's functions, and why not the rest: the decisions of
// the runtime's own filter, over the binary's symbol table and the list of what a compiler plugin
// left out.
#ifndef AUTOTRACE_CLI_FUNCTION_SELECTION_H_
#define AUTOTRACE_CLI_FUNCTION_SELECTION_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "filters/config.h"
#include "filters/dropped_functions.h"
#include "filters/function_filter.h"

namespace autotrace::cli {

struct SelectedFunction {
  std::string name;
  filters::Verdict verdict = filters::Verdict::kHide;
  filters::Reason reason = filters::Reason::kNotMatched;
  std::string description;  // "hidden: excluded by 'std'"
  // A compiler plugin left its hooks out, so the patterns do not matter.
  bool is_dropped = false;
};

struct FunctionSelection {
  bool has_hooks = false;
  bool was_compiled_with_plugin = false;  // that left hooks out
  bool has_debug_info = false;
  // By name; overloads each on their own, aliases of one address once.
  std::vector<SelectedFunction> functions;
  // Patterns that matched none of them: "modules: pipline", and what a plugin left out that they do
  // match.
  struct Unmatched {
    std::string pattern;
    filters::DroppedMatch dropped;
  };
  std::vector<Unmatched> unmatched_patterns;
};

// InvalidArgument when `path` is no ELF file of this machine, NotFound when it is not there.
absl::StatusOr<FunctionSelection> SelectFunctions(const std::string& path,
                                                  const filters::Config& config);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_FUNCTION_SELECTION_H_
