#include "cli/output_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <iterator>
#include <string>

#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::ReadFile;
using test::TemporaryFolder;

size_t FilesIn(const TemporaryFolder& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST_CASE("a file appears only when it is committed") {
  const TemporaryFolder folder;
  const std::string path = folder / "trace.json";
  {
    auto file = OutputFile::Open(path);
    REQUIRE(file.ok());
    fputs("content", file->file());
    CHECK_FALSE(std::filesystem::exists(path));
    REQUIRE(file->Commit().ok());
  }
  CHECK(ReadFile(path) == "content");
  CHECK(FilesIn(folder) == 1);
}

TEST_CASE("a file that is not committed leaves the older one") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("trace.json", "older");
  {
    auto file = OutputFile::Open(path);
    REQUIRE(file.ok());
    fputs("broken", file->file());
  }
  CHECK(ReadFile(path) == "older");
  CHECK(FilesIn(folder) == 1);
}

TEST_CASE("a new file has the permissions that the user's mask gives") {
  const TemporaryFolder folder;
  const mode_t old_mask = umask(027);
  auto file = OutputFile::Open(folder / "trace.json");
  umask(old_mask);
  REQUIRE(file.ok());
  REQUIRE(file->Commit().ok());
  struct stat facts;
  REQUIRE(stat((folder / "trace.json").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0640);
}

TEST_CASE("what a symbolic link points to is replaced, not the link") {
  const TemporaryFolder folder;
  folder.Write("real.json", "older");
  std::filesystem::create_symlink(folder / "real.json", folder / "link.json");
  auto file = OutputFile::Open(folder / "link.json");
  REQUIRE(file.ok());
  fputs("newer", file->file());
  REQUIRE(file->Commit().ok());
  CHECK(std::filesystem::is_symlink(folder / "link.json"));
  CHECK(ReadFile(folder / "real.json") == "newer");
}

TEST_CASE("a full device is an error at the latest when committing") {
  auto file = OutputFile::Open("/dev/full");
  REQUIRE(file.ok());
  fputs("content", file->file());
  CHECK_FALSE(file->Commit().ok());
  CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("a folder that is not there is named") {
  const auto file = OutputFile::Open("/nonexistent-folder/trace.json");
  REQUIRE_FALSE(file.ok());
  CHECK(file.status().message().find("/nonexistent-folder/trace.json") != std::string::npos);
}

}  // namespace
}  // namespace autotrace::cli
