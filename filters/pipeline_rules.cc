#include "filters/pipeline_rules.h"

namespace autotrace::filters {

PipelineRules::PipelineRules(const Config& config) : general_id_(config.pipeline_id) {
  std::string error;
  for (const PatternValue& entry : config.pipelines) {
    Pattern pattern;
    // The loader has refused bad patterns.
    if (Pattern::Parse(entry.first, &pattern, &error)) {
      rules_.emplace_back(std::move(pattern), entry.second);
    }
  }
}

const std::string& PipelineRules::IdFor(const Function& root) const {
  for (const auto& [pattern, id] : rules_) {
    if (pattern.Matches(root) != Pattern::Match::kNo) return id;
  }
  return general_id_;
}

}  // namespace autotrace::filters
