#include "database.h"
#include "pipeline.h"

namespace pipeline_app {

Summary load_results(const std::vector<LanguageEntry>& entries, const std::string& database_path) {
  storage::Database database(database_path);
  storage::Transaction transaction(database);
  database.Execute(
      "DROP TABLE IF EXISTS languages;"
      "CREATE TABLE languages (code TEXT PRIMARY KEY, two_letter_code TEXT UNIQUE,"
      "  name TEXT NOT NULL, sort_name TEXT NOT NULL, search_key TEXT NOT NULL,"
      "  scope TEXT NOT NULL, type TEXT NOT NULL) WITHOUT ROWID");
  {
    storage::Statement insert(database, "INSERT INTO languages VALUES (?, ?, ?, ?, ?, ?, ?)");
    for (const LanguageEntry& entry : entries) {
      insert.Bind(1, entry.code);
      insert.Bind(2, entry.two_letter_code);
      insert.Bind(3, entry.name);
      insert.Bind(4, entry.sort_name);
      insert.Bind(5, entry.search_key);
      insert.Bind(6, entry.scope);
      insert.Bind(7, entry.type);
      insert.Step();
      insert.Reset();
    }
  }
  database.Execute("CREATE INDEX languages_by_search_key ON languages (search_key)");
  transaction.Commit();

  Summary summary = generate_summary(database);
  enrich_summary(entries, summary);
  return summary;
}

}  // namespace pipeline_app
