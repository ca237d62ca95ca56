#include "pipeline.h"

namespace pipeline_app {

PipelineResult run_data_processing_pipeline(const std::string& languages_path,
                                            const std::string& database_path) {
  const std::vector<LanguageRecord> records = extract_data(languages_path);
  TransformedLanguages transformed = transform_data(records);
  Summary summary = load_results(transformed.entries, database_path);
  return PipelineResult{std::move(summary), std::move(transformed.problems)};
}

}  // namespace pipeline_app
