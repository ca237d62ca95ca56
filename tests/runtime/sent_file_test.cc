// How much of a process was sent, written down by who may be killed at any moment.
#include "runtime/sent_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

constexpr uint64_t kKey = 0xabcdef0123456789;

class Fixture {
 public:
  Fixture() : descriptor_(open(folder.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}
  ~Fixture() { close(descriptor_); }

  bool Create(SentFile* file, bool is_spool = true, const SentState& state = {}) const {
    return file->Create(descriptor_, path(), kKey, is_spool, state);
  }
  int descriptor() const { return descriptor_; }
  std::string path() const { return folder.path() + "/1-abcdef0123456789.sent"; }
  SentFileContent Content() const {
    SentFileContent content;
    REQUIRE(ParseSentFile(ReadFile(path()), kKey, &content));
    return content;
  }

  const TemporaryFolder folder;

 private:
  const int descriptor_;
};

TEST_CASE("a new file says what it was made with, and is private to the user") {
  const Fixture fixture;
  SentFile file;
  REQUIRE(fixture.Create(&file, /*is_spool=*/true, {77, 3, false}));
  CHECK(fixture.Content().is_spool);
  CHECK(fixture.Content().state.position == 77);
  CHECK(fixture.Content().state.spans == 3);
  CHECK_FALSE(fixture.Content().state.all);
  struct stat status;
  REQUIRE(stat(fixture.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(static_cast<size_t>(status.st_size) == kSentFileBytes);
}

TEST_CASE("the state that was stored last holds") {
  const Fixture fixture;
  SentFile file;
  REQUIRE(fixture.Create(&file, /*is_spool=*/false));
  for (uint64_t i = 1; i < 10; ++i) {
    file.Store({i * 100, i, i == 9});
    CHECK(fixture.Content().state.position == i * 100);
    CHECK(fixture.Content().state.spans == i);
    CHECK(fixture.Content().state.all == (i == 9));
    CHECK(file.state().position == i * 100);
  }
  CHECK_FALSE(fixture.Content().is_spool);
}

TEST_CASE("whatever a kill leaves of a write, the state before it or the new one holds") {
  const Fixture fixture;
  SentFile file;
  REQUIRE(fixture.Create(&file));
  file.Store({100, 1, false});
  const std::string before = ReadFile(fixture.path());
  file.Store({200, 2, false});
  const std::string after = ReadFile(fixture.path());
  size_t old_ones = 0;
  for (size_t written = 0; written <= after.size(); ++written) {
    SentFileContent content;
    REQUIRE(ParseSentFile(after.substr(0, written) + before.substr(written), kKey, &content));
    const uint64_t position = content.state.position;
    REQUIRE((position == 100 || position == 200));
    REQUIRE(content.state.spans == position / 100);
    old_ones += position == 100 ? 1 : 0;
  }
  CHECK(old_ones > 0);
  CHECK(old_ones <= after.size());  // of one more
}

TEST_CASE("without a slot that holds nothing was sent") {
  const Fixture fixture;
  SentFile file;
  REQUIRE(fixture.Create(&file));
  file.Store({100, 1, false});
  file.Store({200, 1, false});
  std::string bytes = ReadFile(fixture.path());
  SentFileContent content;
  SECTION("cut off") { bytes.resize(sizeof(format::SentHeader) + 5); }
  SECTION("damaged") {
    bytes[sizeof(format::SentHeader) + 9] ^= 1;
    bytes[sizeof(format::SentHeader) + sizeof(format::SentSlot) + 9] ^= 1;
  }
  REQUIRE(ParseSentFile(bytes, kKey, &content));
  CHECK(content.generation == 0);
  CHECK(content.state.position == 0);
}

TEST_CASE("what is not this process's file of this version is refused") {
  const Fixture fixture;
  SentFile file;
  REQUIRE(fixture.Create(&file));
  std::string bytes = ReadFile(fixture.path());
  SentFileContent content;
  CHECK_FALSE(ParseSentFile(bytes, kKey + 1, &content));
  CHECK_FALSE(ParseSentFile(bytes.substr(0, 31), kKey, &content));
  CHECK_FALSE(ParseSentFile("", kKey, &content));
  bytes[8] ^= 2;
  CHECK_FALSE(ParseSentFile(bytes, kKey, &content));
}

TEST_CASE("another process goes on where the one before it was") {
  const Fixture fixture;
  {
    SentFile file;
    REQUIRE(fixture.Create(&file));
    file.Store({100, 1, false});
    file.Store({200, 2, false});
  }
  SentFile file;
  REQUIRE(file.Adopt(open(fixture.path().c_str(), O_RDWR | O_CLOEXEC), fixture.path(), kKey));
  CHECK(file.is_spool());
  CHECK(file.state().position == 200);
  file.Store({300, 0, true});
  CHECK(fixture.Content().state.position == 300);
  CHECK(fixture.Content().state.all);
  CHECK_FALSE(
      SentFile().Adopt(open(fixture.path().c_str(), O_RDWR | O_CLOEXEC), fixture.path(), 1));
}

TEST_CASE("a descriptor that the program took is not written to, and the file is opened again") {
  const Fixture fixture;
  const TemporaryFolder programs;
  const std::string theirs = programs.Write("file", "");
  SentFile file;
  REQUIRE(fixture.Create(&file));
  const int taken = open(theirs.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(dup2(taken, file.number()) >= 0);
  close(taken);
  file.Store({100, 0, false});
  file.Store({200, 0, false});
  CHECK(std::filesystem::file_size(theirs) == 0);
  CHECK(fixture.Content().state.position == 200);
}

TEST_CASE("a file that was removed is not written any more, and can be made again") {
  const Fixture fixture;
  SentFile file;
  REQUIRE(fixture.Create(&file));
  file.Store({100, 0, false});
  file.Remove(fixture.descriptor());
  CHECK_FALSE(file.is_open());
  file.Store({200, 0, false});
  CHECK(fixture.folder.Entries().empty());
  REQUIRE(fixture.Create(&file, true, file.state()));
  CHECK(fixture.Content().state.position == 200);
}

}  // namespace
}  // namespace autotrace::test
