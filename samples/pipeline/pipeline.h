// The steps of the pipeline, callers above callees. Each is an ordinary function in a source file
// of its own, so that no compiler inlines one into another and every build gives the same spans.
// Their helpers are outside of namespace pipeline_app, free to be inlined, and not in the trace.
//
// The names are snake_case, unlike the rest of this repository, because they are a program's own:
// the trace shows functions as their authors named them.
//
// Failures (a file that cannot be read, a record without a code, a database that cannot be written)
// are std::runtime_error with a message for people.
#ifndef AUTOTRACE_SAMPLES_PIPELINE_PIPELINE_H_
#define AUTOTRACE_SAMPLES_PIPELINE_PIPELINE_H_

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "language.h"

namespace storage {
class Database;
}

namespace pipeline_app {

// Extracts the languages from `languages_path`, transforms them and replaces the table "languages"
// of the SQLite file `database_path`, which is made when it does not exist.
PipelineResult run_data_processing_pipeline(const std::string& languages_path,
                                            const std::string& database_path);

// ---- Extract

// Reads the iso-codes package's iso_639-3.json.
std::vector<LanguageRecord> extract_data(const std::string& languages_path);
// `index` counts from 0 and is for messages only.
LanguageRecord process_record(const nlohmann::json& record, std::size_t index);
// Without control characters, white space trimmed and runs of it made one space, typographic
// apostrophes made plain ones.
std::string normalize_name(std::string_view name);

// ---- Transform

// Entries that validate_transformation objects to are left out and reported in `problems`.
TransformedLanguages transform_data(const std::vector<LanguageRecord>& records);
LanguageEntry apply_transformation(const LanguageRecord& record);
// Lower case, Latin letters without their marks, words separated by one space:
// "Arbëreshë Albanian" gives "arbereshe albanian". Other scripts are kept as they are.
std::string build_search_key(std::string_view name);
// What is wrong with an entry; nothing when it can be stored.
std::optional<std::string> validate_transformation(const LanguageEntry& entry);

// ---- Load

Summary load_results(const std::vector<LanguageEntry>& entries, const std::string& database_path);
Summary generate_summary(storage::Database& database);
// Kept out of automatic tracing; it makes a span of its own by hand.
void enrich_summary(const std::vector<LanguageEntry>& entries, Summary& summary);

}  // namespace pipeline_app

#endif  // AUTOTRACE_SAMPLES_PIPELINE_PIPELINE_H_
