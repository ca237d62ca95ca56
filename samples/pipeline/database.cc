#include "database.h"

#include <sqlite3.h>

#include <stdexcept>

namespace storage {

Database::Database(const std::string& path) : path_(path) {
  if (sqlite3_open(path.c_str(), &handle_) == SQLITE_OK) return;
  // SQLite gives a handle even then, and no destructor runs when a constructor throws.
  const std::string message = path + ": " + sqlite3_errmsg(handle_);
  sqlite3_close(handle_);
  throw std::runtime_error(message);
}

Database::~Database() { sqlite3_close(handle_); }

void Database::Execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) Fail();
}

void Database::Fail() const { throw std::runtime_error(path_ + ": " + sqlite3_errmsg(handle_)); }

Transaction::Transaction(Database& database) : database_(database) { database_.Execute("BEGIN"); }

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.Execute("ROLLBACK");
  } catch (const std::runtime_error&) {
    // SQLite has rolled back by itself; the error that led here is the one to report.
  }
}

void Transaction::Commit() {
  database_.Execute("COMMIT");
  open_ = false;
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  const int result = sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()),
                                        &handle_, nullptr);
  if (result != SQLITE_OK) database.Fail();
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::Bind(int parameter, std::string_view text) {
  const int result = text.empty() ? sqlite3_bind_null(handle_, parameter)
                                  : sqlite3_bind_text(handle_, parameter, text.data(),
                                                      static_cast<int>(text.size()), SQLITE_STATIC);
  if (result != SQLITE_OK) database_.Fail();
}

bool Statement::Step() {
  switch (sqlite3_step(handle_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      database_.Fail();
  }
}

void Statement::Reset() { sqlite3_reset(handle_); }

std::int64_t Statement::Integer(int column) const { return sqlite3_column_int64(handle_, column); }

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return text != nullptr ? std::string(text, sqlite3_column_bytes(handle_, column)) : std::string();
}

}  // namespace storage
