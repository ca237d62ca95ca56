#include "filters/function_filter.h"

#include <stddef.h>

#include <exception>
#include <optional>
#include <utility>

#include "filters/name_components.h"
#include "filters/path_components.h"

namespace autotrace::filters {

// A function taken apart once for all patterns, each side when the first pattern looks at it.
class FunctionFilter::Facts {
 public:
  explicit Facts(const Function& function) noexcept : function_(function) {}

  Pattern::Match Matches(const Rule& rule) noexcept {
    const Pattern::Match match = Ask(rule.pattern);
    // Looked at first: most functions match a pattern that has matched before.
    if (match != Pattern::Match::kNo && !rule.matched.load(std::memory_order_relaxed)) {
      rule.matched.store(true, std::memory_order_relaxed);
    }
    return match;
  }

  std::string_view name() const noexcept { return function_.name(); }
  bool compiler_made() const noexcept { return function_.compiler_made(); }

 private:
  Pattern::Match Ask(const Pattern& pattern) noexcept {
    bool match = false;
    switch (pattern.kind()) {
      case PatternKind::kEverything:
        match = true;
        break;
      case PatternKind::kName:
        return pattern.MatchesName(components());
      case PatternKind::kNameOrBinary: {
        const Pattern::Match name_match = pattern.MatchesName(components());
        if (name_match != Pattern::Match::kNo) return name_match;
        match = pattern.MatchesBinary(module_path());
        break;
      }
      case PatternKind::kBinary:
        match = pattern.MatchesBinary(module_path());
        break;
      case PatternKind::kSource:
        match = pattern.MatchesSource(source_file());
        break;
    }
    return match ? Pattern::Match::kYes : Pattern::Match::kNo;
  }

  const NameComponents& components() noexcept {
    if (!name_.has_value()) name_.emplace(function_.name());
    return *name_;
  }
  const PathComponents& module_path() noexcept {
    if (!module_path_.has_value()) module_path_.emplace(function_.module_path());
    return *module_path_;
  }
  const PathComponents& source_file() noexcept {
    if (!source_file_.has_value()) source_file_.emplace(function_.source_file());
    return *source_file_;
  }

  const Function& function_;
  std::optional<NameComponents> name_;
  std::optional<PathComponents> module_path_;
  std::optional<PathComponents> source_file_;
};

FunctionFilter::FunctionFilter(const Config& config) noexcept
    : compiler_made_(config.compiler_made), live_export_(config.live_export()) {
  try {
    SetThresholds(config);
    SetRules(config.exclude, &exclude_);
    SetRules(config.exclude_subtree, &exclude_subtree_);
    SetRules(config.roots, &roots_);
    // Last, so that a filter that could not be completed records nothing.
    SetRules(config.modules, &modules_);
  } catch (const std::exception&) {
    modules_.rules.clear();
  }
}

void FunctionFilter::SetRules(const Strings& patterns, RuleSet* set) {
  std::vector<Rule> rules(patterns.size());
  std::string error;
  for (size_t index = 0; index < patterns.size(); ++index) {
    // The loader has refused bad patterns; one that code put in parses to one that matches nothing.
    Pattern::Parse(patterns[index], &rules[index].pattern, &error);
  }
  set->rules = std::move(rules);
}

void FunctionFilter::SetThresholds(const Config& config) {
  constexpr size_t kMaximumClasses = 256;
  thresholds_.reserve(config.min_duration_for.size() + 1);
  thresholds_.push_back(config.min_duration);
  Strings patterns;
  for (const PatternDuration& entry : config.min_duration_for) patterns.push_back(entry.first);
  SetRules(patterns, &min_duration_for_);
  for (size_t index = 0; index < patterns.size(); ++index) {
    const uint64_t duration = config.min_duration_for[index].second;
    size_t threshold_class = 0;
    while (threshold_class < thresholds_.size() && thresholds_[threshold_class] != duration) {
      ++threshold_class;
    }
    if (threshold_class == kMaximumClasses) threshold_class = 0;  // the loader allows fewer
    if (threshold_class == thresholds_.size()) thresholds_.push_back(duration);
    min_duration_for_.rules[index].threshold_class = static_cast<uint8_t>(threshold_class);
  }
}

Decision FunctionFilter::Decide(const Function& function) const noexcept {
  Facts facts(function);
  // Every set is asked whatever the others say, so that UnmatchedPatterns names only patterns that
  // really match nothing.
  const Rule* excluded_subtree = FirstMatch(exclude_subtree_, &facts);
  const Rule* excluded = FirstMatch(exclude_, &facts);
  Pattern::Match module_match = Pattern::Match::kNo;
  const Rule* module = BestMatch(modules_, &facts, &module_match);
  Pattern::Match root_match = Pattern::Match::kNo;
  BestMatch(roots_, &facts, &root_match);
  const Rule* threshold = LastMatch(min_duration_for_, &facts);

  Decision decision;
  decision.starts_trace =
      root_match == Pattern::Match::kYes || root_match == Pattern::Match::kExactFunction;
  decision.named_exactly = module_match == Pattern::Match::kExactFunction ||
                           root_match == Pattern::Match::kExactFunction;
  if (threshold != nullptr) decision.threshold_class = threshold->threshold_class;

  if (excluded_subtree != nullptr) {
    decision.verdict = Verdict::kHideSubtree;
    decision.reason = Reason::kExcludedSubtree;
    decision.pattern = &excluded_subtree->pattern;
  } else if (excluded != nullptr) {
    decision.reason = Reason::kExcluded;
    decision.pattern = &excluded->pattern;
  } else if (module != nullptr) {
    decision.pattern = &module->pattern;
    if (live_export_ && !decision.named_exactly && facts.name() == "main") {
      decision.reason = Reason::kEntryFunction;
    } else if (!compiler_made_ && facts.compiler_made()) {
      decision.reason = Reason::kCompilerMade;
    } else {
      decision.verdict = Verdict::kRecord;
      decision.reason = Reason::kMatched;
    }
  }
  return decision;
}

const FunctionFilter::Rule* FunctionFilter::FirstMatch(const RuleSet& set, Facts* facts) {
  const Rule* first = nullptr;
  for (const Rule& rule : set.rules) {
    const bool match = facts->Matches(rule) != Pattern::Match::kNo;
    if (match && first == nullptr) first = &rule;
  }
  return first;
}

const FunctionFilter::Rule* FunctionFilter::BestMatch(const RuleSet& set, Facts* facts,
                                                      Pattern::Match* match) {
  const auto rank = [](Pattern::Match kind) {
    switch (kind) {
      case Pattern::Match::kExactFunction:
        return 3;
      case Pattern::Match::kYes:
        return 2;
      case Pattern::Match::kInsideFunction:
        return 1;
      case Pattern::Match::kNo:
        break;
    }
    return 0;
  };
  const Rule* best = nullptr;
  for (const Rule& rule : set.rules) {
    const Pattern::Match kind = facts->Matches(rule);
    if (rank(kind) <= rank(*match)) continue;
    *match = kind;
    best = &rule;
  }
  return best;
}

const FunctionFilter::Rule* FunctionFilter::LastMatch(const RuleSet& set, Facts* facts) {
  const Rule* last = nullptr;
  for (const Rule& rule : set.rules) {
    if (facts->Matches(rule) != Pattern::Match::kNo) last = &rule;
  }
  return last;
}

std::vector<UnmatchedPattern> FunctionFilter::UnmatchedPatterns() const {
  std::vector<UnmatchedPattern> unmatched;
  for (const RuleSet* set :
       {&modules_, &exclude_, &exclude_subtree_, &roots_, &min_duration_for_}) {
    for (const Rule& rule : set->rules) {
      if (rule.matched.load(std::memory_order_relaxed)) continue;
      unmatched.push_back({set->setting, &rule.pattern});
    }
  }
  return unmatched;
}

std::string Describe(const Decision& decision) {
  const std::string pattern =
      decision.pattern == nullptr ? "" : "'" + decision.pattern->text() + "'";
  switch (decision.reason) {
    case Reason::kMatched:
      return "recorded: matched by " + pattern;
    case Reason::kNotMatched:
      return "hidden: matched by no pattern";
    case Reason::kExcluded:
      return "hidden: excluded by " + pattern;
    case Reason::kExcludedSubtree:
      return "hidden with all it calls: excluded by " + pattern;
    case Reason::kCompilerMade:
      return "hidden: made by the compiler (compiler_made: true brings it back)";
    case Reason::kEntryFunction:
      return "hidden: in live export the program's entry is no span unless a pattern names it "
             "exactly";
  }
  return "";
}

}  // namespace autotrace::filters
