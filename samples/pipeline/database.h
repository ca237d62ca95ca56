// As much of SQLite as the pipeline needs, with errors as std::runtime_error. It stands outside
// namespace pipeline_app, so AUTOTRACE_MODULES=pipeline_app leaves it out of the trace.
#ifndef AUTOTRACE_SAMPLES_PIPELINE_DATABASE_H_
#define AUTOTRACE_SAMPLES_PIPELINE_DATABASE_H_

#include <cstdint>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace storage {

class Database {
 public:
  // Opens the file, making it when it does not exist.
  explicit Database(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs one or more statements that give no rows.
  void Execute(const char* sql);

  // Throws what SQLite says went wrong last, after the path of the file.
  [[noreturn]] void Fail() const;

 private:
  friend class Statement;
  std::string path_;
  sqlite3* handle_ = nullptr;
};

// Undoes what was executed since its construction unless Commit is reached.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void Commit();

 private:
  Database& database_;
  bool open_ = true;
};

// A prepared statement. Parameters count from 1, columns from 0, as SQLite has it.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // An empty text is stored as NULL. `text` has to live until the next Step.
  void Bind(int parameter, std::string_view text);
  // True when there is a row to read.
  bool Step();
  // Makes the statement ready to run again.
  void Reset();

  std::int64_t Integer(int column) const;
  std::string Text(int column) const;

 private:
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace storage

#endif  // AUTOTRACE_SAMPLES_PIPELINE_DATABASE_H_
