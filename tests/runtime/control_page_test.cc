// The file between a program and `autotracer ctl`.
#include "runtime/control_page.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "tests/support/test_files.h"

namespace autotrace {
namespace {

using test::TemporaryFolder;

constexpr uint64_t kSecond = 1'000'000'000;

TEST_CASE("a request is answered once, with what the program says") {
  const TemporaryFolder folder;
  ControlFile file;
  REQUIRE(file.Create(folder.path(), "1-2.control", 2));
  CHECK(file.Request().empty());
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  std::thread program([&] {
    while (!over.load()) {
      const std::string request = file.Request();
      if (request.empty()) continue;
      ++answered;
      file.Answer(request != "no", "to " + request);
    }
  });
  {
    ControlClient client;
    std::string text;
    REQUIRE(client.Open(folder / "1-2.control", &text));
    for (int i = 0; i < 100; ++i) {
      bool done = false;
      REQUIRE(client.Ask("on", 10 * kSecond, &done, &text));
      CHECK(done);
      CHECK(text == "to on");
      REQUIRE(client.Ask("no", 10 * kSecond, &done, &text));
      CHECK_FALSE(done);
    }
  }
  over = true;
  program.join();
  CHECK(answered == 200);
  file.Remove();
  CHECK(folder.Entries().empty());
}

TEST_CASE("a request and an answer that are too long are cut") {
  const TemporaryFolder folder;
  ControlFile file;
  REQUIRE(file.Create(folder.path(), "1-2.control", 2));
  ControlClient client;
  std::string text;
  REQUIRE(client.Open(folder / "1-2.control", &text));
  bool done = false;
  CHECK_FALSE(client.Ask(std::string(9999, 'x'), 0, &done, &text));
  CHECK(file.Request() == std::string(sizeof(ControlPage::request) - 1, 'x'));
  file.Answer(true, std::string(9999, 'y'));
  CHECK(file.Request().empty());
}

TEST_CASE("what is no control file is refused") {
  const TemporaryFolder folder;
  std::string error;
  const std::string path = folder / "1-2.control";
  CHECK_FALSE(ControlClient().Open(path, &error));
  CHECK_THAT(error, Catch::Contains("No such file"));
  folder.Write("1-2.control", std::string(4096, 'x'));
  CHECK_FALSE(ControlClient().Open(path, &error));
  CHECK_THAT(error, Catch::Contains("not the control file"));
  folder.Write("1-2.control", "ATCTRL01");
  CHECK_FALSE(ControlClient().Open(path, &error));
  // Nor is one made where something is already.
  ControlFile file;
  CHECK_FALSE(file.Create(folder.path(), "1-2.control", 2));
  CHECK(file.Request().empty());
}

TEST_CASE("without the file the program goes on and answers nobody") {
  const TemporaryFolder folder;
  ControlFile file;
  REQUIRE(file.Create(folder.path(), "1-2.control", 2));
  struct stat facts;
  REQUIRE(stat((folder / "1-2.control").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  std::filesystem::remove(folder / "1-2.control");
  CHECK(file.Request().empty());
  file.Answer(true, "nobody hears this");
  file.Remove();
}

}  // namespace
}  // namespace autotrace
