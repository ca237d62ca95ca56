// From a configuration to a decision about each function: record it, hide it, or hide it with
// everything below it. The runtime asks once per function, on a traced thread; the command's
// `functions` asks the same object, so that what it prints is what the runtime does.
#ifndef AUTOTRACE_FILTERS_FUNCTION_FILTER_H_
#define AUTOTRACE_FILTERS_FUNCTION_FILTER_H_

#include <stdint.h>

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "filters/config.h"
#include "filters/pattern.h"

namespace autotrace::filters {

enum class Verdict : uint8_t {
  kHide = 0,  // no span; its callees attach to the nearest recorded ancestor
  kRecord = 1,
  kHideSubtree = 2,  // no span for it or for anything it calls
};

enum class Reason : uint8_t {
  kMatched,          // by modules
  kNotMatched,       // by any of modules
  kExcluded,         // by exclude
  kExcludedSubtree,  // by exclude_subtree
  kCompilerMade,
  kEntryFunction,  // main in live export, and no pattern names it exactly
};

struct Decision {
  Verdict verdict = Verdict::kHide;
  Reason reason = Reason::kNotMatched;
  // A `roots` pattern matched, and not merely because this is a lambda or a local class's member
  // inside a function that it names.
  bool starts_trace = false;
  bool named_exactly = false;        // a pattern of modules or roots spells out this very function
  uint8_t threshold_class = 0;       // index into thresholds()
  const Pattern* pattern = nullptr;  // the one that decided; null for kNotMatched
};

struct UnmatchedPattern {
  const char* setting;     // that it stands in
  const Pattern* pattern;  // as long as the filter lives

  // As the user wrote it: "modules: pipline".
  std::string text() const { return std::string(setting) + ": " + pattern->text(); }
};

class FunctionFilter {
 public:
  // Does not throw. Without the memory it needs, it hides every function.
  explicit FunctionFilter(const Config& config) noexcept;
  // Decisions point into it, so it stays where it is.
  FunctionFilter(const FunctionFilter&) = delete;
  FunctionFilter& operator=(const FunctionFilter&) = delete;

  // Exclusions win over modules; of several min_duration_for patterns that match the last one wins.
  // Async-signal-safe (as far as `function` is), callable from several threads at once. Uses about
  // 3 KiB of stack.
  Decision Decide(const Function& function) const noexcept;

  // Nanoseconds, by Decision::threshold_class; [0] is the general one. At most 256.
  const std::vector<uint64_t>& thresholds() const { return thresholds_; }

  // The configured patterns that have matched no function so far. Not on traced threads: it
  // allocates.
  std::vector<UnmatchedPattern> UnmatchedPatterns() const;

 private:
  class Facts;
  struct Rule {
    Pattern pattern;
    uint8_t threshold_class = 0;
    mutable std::atomic<bool> matched{false};
  };
  struct RuleSet {
    const char* setting;
    std::vector<Rule> rules;
  };

  static void SetRules(const Strings& patterns, RuleSet* set);
  void SetThresholds(const Config& config);
  static const Rule* FirstMatch(const RuleSet& set, Facts* facts);
  static const Rule* BestMatch(const RuleSet& set, Facts* facts, Pattern::Match* match);
  static const Rule* LastMatch(const RuleSet& set, Facts* facts);

  std::vector<uint64_t> thresholds_;
  bool compiler_made_ = false;
  bool live_export_ = false;
  RuleSet modules_{"modules", {}};
  RuleSet exclude_{"exclude", {}};
  RuleSet exclude_subtree_{"exclude_subtree", {}};
  RuleSet roots_{"roots", {}};
  RuleSet min_duration_for_{"min_duration_for", {}};
};

// One line for people: "hidden: excluded by 'std'".
std::string Describe(const Decision& decision);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_FUNCTION_FILTER_H_
