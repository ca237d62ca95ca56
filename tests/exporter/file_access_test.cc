// Files that somebody else may have put there.
#include "exporter/file_access.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/test_files.h"

namespace autotrace::exporter {
namespace {

using test::TemporaryFolder;

OpenedFile Open(const std::string& path) {
  absl::StatusOr<OpenedFile> opened = OpenForReading(path);
  REQUIRE(opened.ok());
  return *std::move(opened);
}

TEST_CASE("a regular file is opened") {
  const TemporaryFolder folder;
  const OpenedFile file = Open(folder.Write("file", "bytes"));
  CHECK(file.size == 5);
  CHECK(file.owner == geteuid());
  char bytes[5];
  CHECK(ReadAt(file.handle.get(), 0, bytes, sizeof(bytes)) == 5);
}

TEST_CASE("what is no regular file is refused and not opened") {
  const TemporaryFolder folder;
  folder.Write("file", "bytes");
  REQUIRE(symlink((folder / "file").c_str(), (folder / "link").c_str()) == 0);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  REQUIRE(mkdir((folder / "folder").c_str(), 0700) == 0);
  // Somebody who waits for a reader of the pipe would get one.
  const int writer = open((folder / "pipe").c_str(), O_WRONLY | O_NONBLOCK);
  CHECK(writer == -1);
  CHECK(errno == ENXIO);
  for (const std::string& path : {folder / "link", folder / "pipe", folder / "folder",
                                  std::string("/dev/null"), std::string("/dev/tty")}) {
    CAPTURE(path);
    CHECK_FALSE(OpenForReading(path).ok());
  }
  CHECK(OpenForReading(folder / "missing").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("a file is removed only while the name stands for it") {
  const TemporaryFolder folder;
  const OpenedFile ring = Open(folder.Write("mine/ring", "ring"));
  folder.Write("others/ring", "other");
  // The folder's name comes to stand for another one.
  std::filesystem::rename(folder / "mine", folder / "moved");
  std::filesystem::create_directory_symlink(folder / "others", folder / "mine");
  CHECK(RemoveFile(folder / "mine/ring", ring.device, ring.inode));
  CHECK(std::filesystem::exists(folder / "others/ring"));
  CHECK(RemoveFile(folder / "moved/ring", ring.device, ring.inode));
  CHECK_FALSE(std::filesystem::exists(folder / "moved/ring"));
  // Gone already is as good.
  CHECK(RemoveFile(folder / "moved/ring", ring.device, ring.inode));
}

}  // namespace
}  // namespace autotrace::exporter
