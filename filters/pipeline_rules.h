// Which pipeline a trace belongs to, from the function of its root span: the settings `pipelines`
// and `pipeline_id`. Used by the reader, which writes the id on the root.
#ifndef AUTOTRACE_FILTERS_PIPELINE_RULES_H_
#define AUTOTRACE_FILTERS_PIPELINE_RULES_H_

#include <string>
#include <utility>
#include <vector>

#include "filters/config.h"
#include "filters/pattern.h"

namespace autotrace::filters {

class PipelineRules {
 public:
  explicit PipelineRules(const Config& config);

  // The id of the first pattern, in the order written, that matches the root's function; else the
  // general pipeline_id; empty when there is none. Callable from several threads at once.
  const std::string& IdFor(const Function& root) const;

  // The same for a root without a function (a manual span).
  const std::string& general_id() const { return general_id_; }

 private:
  std::vector<std::pair<Pattern, std::string>> rules_;
  std::string general_id_;
};

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_PIPELINE_RULES_H_
