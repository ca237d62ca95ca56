// Imports rows into an SQLite database in memory, indexes them and asks it questions. SQLite's own
// source is compiled along with this file. Arguments: rounds, of ten thousand rows each.
#include <sqlite3.h>

#include <string>

#include "programs/timed_program.h"

namespace {

constexpr int kRows = 10'000;

UNTRACED void Execute(sqlite3* database, const char* sql) {
  char* message = nullptr;
  if (sqlite3_exec(database, sql, nullptr, nullptr, &message) == SQLITE_OK) return;
  fprintf(stderr, "%s: %s\n", sql, message);
  exit(1);
}

UNTRACED void Import(sqlite3* database) {
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(database, "INSERT INTO orders VALUES (?, ?, ?)", -1, &insert, nullptr);
  for (int row = 0; row < kRows; ++row) {
    const std::string customer = "customer " + std::to_string(row * 7919 % 1000);
    sqlite3_bind_int(insert, 1, row);
    sqlite3_bind_text(insert, 2, customer.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_double(insert, 3, row * 0.25);
    if (sqlite3_step(insert) != SQLITE_DONE) exit(1);
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
}

UNTRACED uint64_t CountLargeCustomers(sqlite3* database) {
  sqlite3_stmt* query = nullptr;
  sqlite3_prepare_v2(database,
                     "SELECT customer, sum(amount) FROM orders GROUP BY customer "
                     "HAVING sum(amount) > 12000 ORDER BY 2 DESC",
                     -1, &query, nullptr);
  uint64_t customers = 0;
  while (sqlite3_step(query) == SQLITE_ROW) ++customers;
  sqlite3_finalize(query);
  return customers;
}

}  // namespace

UNTRACED uint64_t RunProgram(int rounds) {
  uint64_t answer = 0;
  for (int round = 0; round < rounds; ++round) {
    sqlite3* database = nullptr;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK) exit(1);
    Execute(database, "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, amount REAL)");
    Execute(database, "BEGIN");
    Import(database);
    Execute(database, "CREATE INDEX by_customer ON orders (customer)");
    Execute(database, "COMMIT");
    answer += CountLargeCustomers(database);
    sqlite3_close(database);
  }
  return answer;
}
