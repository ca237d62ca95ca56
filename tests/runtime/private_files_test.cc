// Files and folders that only their user can read, where others have put things in the way.
#include "runtime/private_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat status;
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

// The umask as it was, after each test.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }

 private:
  mode_t before_;
};

TEST_CASE("files and folders are private to the user whatever the umask") {
  const TemporaryFolder folder;
  const Umask mask(GENERATE(0, 022, 077, 0377, 0777));
  REQUIRE(MakePrivateFolder(folder / "run"));
  CHECK(ModeOf(folder / "run") == 0700);
  const int opened = OpenOwnFolder(folder / "run");
  REQUIRE(opened >= 0);
  const int file = MakePrivateFile(opened, "segment", O_WRONLY);
  CHECK(file >= 0);
  CHECK(ModeOf(folder / "run/segment") == 0600);
  close(file);
  close(opened);
}

TEST_CASE("what is in the way of a file or folder is left alone") {
  const TemporaryFolder folder;
  folder.Write("secret", "kept");
  const std::string way = folder / "way";
  const std::string what = GENERATE("link", "dangling link", "pipe", "file", "folder");
  if (what == "link") REQUIRE(symlink((folder / "secret").c_str(), way.c_str()) == 0);
  if (what == "dangling link") REQUIRE(symlink((folder / "new").c_str(), way.c_str()) == 0);
  if (what == "pipe") REQUIRE(mkfifo(way.c_str(), 0600) == 0);
  if (what == "file") folder.Write("way", "other");
  if (what == "folder") REQUIRE(mkdir(way.c_str(), 0700) == 0);
  CAPTURE(what);
  const int opened = OpenOwnFolder(folder.path());
  REQUIRE(opened >= 0);
  CHECK(MakePrivateFile(opened, "way", O_WRONLY) == -1);
  CHECK(errno == EEXIST);
  CHECK_FALSE(MakePrivateFolder(way));
  CHECK(errno == EEXIST);
  CHECK(ReadFile(folder / "secret") == "kept");
  CHECK(access((folder / "new").c_str(), F_OK) != 0);
  close(opened);
}

TEST_CASE("a folder that is a link or another user's is not taken for one's own") {
  const TemporaryFolder folder;
  REQUIRE(mkdir((folder / "own").c_str(), 0700) == 0);
  REQUIRE(symlink((folder / "own").c_str(), (folder / "link").c_str()) == 0);
  folder.Write("file", "");
  CHECK(IsOwnFolder(folder / "own"));
  for (const char* name : {"link", "file", "missing"}) {
    CHECK_FALSE(IsOwnFolder(folder / name));
    CHECK(OpenOwnFolder(folder / name) == -1);
  }
  if (geteuid() != 0) {
    WARN("only root can make a folder of somebody else's: not tested");
    return;
  }
  REQUIRE(chown((folder / "own").c_str(), 65534, 65534) == 0);
  CHECK_FALSE(IsOwnFolder(folder / "own"));
  CHECK(OpenOwnFolder(folder / "own") == -1);
  CHECK(errno == EPERM);
}

}  // namespace
}  // namespace autotrace::test
