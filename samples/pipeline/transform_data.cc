#include "pipeline.h"

namespace pipeline_app {

TransformedLanguages transform_data(const std::vector<LanguageRecord>& records) {
  TransformedLanguages transformed;
  transformed.entries.reserve(records.size());
  for (const LanguageRecord& record : records) {
    LanguageEntry entry = apply_transformation(record);
    if (const std::optional<std::string> problem = validate_transformation(entry)) {
      transformed.problems.push_back(record.code + ": " + *problem);
      continue;
    }
    transformed.entries.push_back(std::move(entry));
  }
  return transformed;
}

}  // namespace pipeline_app
