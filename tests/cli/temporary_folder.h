// A folder of a test's own, gone with the object.
#ifndef AUTOTRACE_TESTS_CLI_TEMPORARY_FOLDER_H_
#define AUTOTRACE_TESTS_CLI_TEMPORARY_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace autotrace::cli {

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "autotrace-cli-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) throw "cannot make a folder";
    path_ = std::filesystem::canonical(path).string();
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

  // Returns the file's path.
  std::string Write(std::string_view name, std::string_view content) const {
    std::string path = *this / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::string path_;
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_TESTS_CLI_TEMPORARY_FOLDER_H_
