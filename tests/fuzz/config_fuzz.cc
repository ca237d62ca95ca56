// Input: a configuration file. What is read without an error must survive being written and read
// again, as it is in a run's folder, and make a filter; what is not must be told in one line.
#include <string>

#include "filters/config_loader.h"
#include "filters/function_filter.h"
#include "filters/pipeline_rules.h"
#include "tests/fuzz/fuzz_target.h"

namespace autotrace::fuzz {

void TestInput(std::string_view bytes) {
  const filters::LoadResult result = filters::ParseConfig(bytes, "fuzz.yaml");
  for (const std::string& warning : result.warnings) {
    Require(warning.find('\n') == std::string::npos, "a warning is one line");
  }
  if (!result.error.empty()) {
    Require(result.error.find('\n') == std::string::npos, "an error is one line");
    Require(result.effective.empty(), "an error leaves nothing in effect");
    return;
  }
  Touch(filters::FormatEffective(result));
  Touch(filters::ToYaml(result.config, /*with_secrets=*/false));
  const std::string yaml = filters::ToYaml(result.config, /*with_secrets=*/true);
  const filters::LoadResult again = filters::ParseConfig(yaml, "again.yaml");
  if (!again.error.empty()) fprintf(stderr, "%s\n%s\n", again.error.c_str(), yaml.c_str());
  Require(again.error.empty(), "a written configuration can be read");
  Require(filters::ToYaml(again.config, true) == yaml, "a configuration stays what it is");

  const filters::FunctionFilter filter(result.config);
  const filters::PipelineRules pipelines(result.config);
  for (const filters::UnmatchedPattern& unmatched : filter.UnmatchedPatterns()) {
    Touch(unmatched.text());
  }
}

}  // namespace autotrace::fuzz
