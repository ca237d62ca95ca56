#include "database.h"
#include "pipeline.h"

namespace {

std::vector<pipeline_app::LabelledCount> CountBy(storage::Database& database,
                                                 const std::string& column) {
  storage::Statement query(database, "SELECT " + column + ", count(*) FROM languages GROUP BY " +
                                         column + " ORDER BY 2 DESC, 1");
  std::vector<pipeline_app::LabelledCount> counts;
  while (query.Step()) counts.emplace_back(query.Text(0), query.Integer(1));
  return counts;
}

}  // namespace

namespace pipeline_app {

Summary generate_summary(storage::Database& database) {
  Summary summary;
  storage::Statement total(database, "SELECT count(*) FROM languages");
  if (total.Step()) summary.languages = total.Integer(0);
  summary.by_type = CountBy(database, "type");
  summary.by_scope = CountBy(database, "scope");
  storage::Statement longest(database,
                             "SELECT name FROM languages ORDER BY length(name) DESC, code LIMIT 1");
  if (longest.Step()) summary.longest_name = longest.Text(0);
  return summary;
}

}  // namespace pipeline_app
