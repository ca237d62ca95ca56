// A file that appears under its name only when it is complete.
#ifndef AUTOTRACE_CLI_OUTPUT_FILE_H_
#define AUTOTRACE_CLI_OUTPUT_FILE_H_

#include <stdio.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace autotrace::cli {

// Written to a temporary file in the same folder, which Commit() renames and the destructor removes
// if there was no Commit(). "-" is stdout; something that exists and is no regular file (a pipe,
// /dev/null) is written to directly.
class OutputFile {
 public:
  static absl::StatusOr<OutputFile> Open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  FILE* file() const { return file_; }
  absl::Status Commit();

 private:
  OutputFile(FILE* file, std::string path, std::string temporary_path);

  FILE* file_;
  std::string path_;
  std::string temporary_path_;  // empty: written to directly
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_OUTPUT_FILE_H_
