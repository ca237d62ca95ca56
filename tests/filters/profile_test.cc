#include "filters/profile.h"

#include <catch2/catch.hpp>

#include "tests/support/test_files.h"

namespace autotrace::filters {
namespace {

std::string ErrorOf(std::string_view text) {
  Profile profile;
  std::string error;
  CHECK_FALSE(ParseProfile(text, &profile, &error));
  return error;
}

TEST_CASE("a profile is read as it was written") {
  const std::set<std::string> functions = {"_ZN3app3runEv", "main", "_ZN3app4PartC1Ei"};
  const std::string text = WriteProfile(functions, "1us");
  CHECK(text.starts_with("# autotrace profile 1, version "));
  CHECK(text.find("shorter than 1us.\n") != std::string::npos);
  Profile profile;
  std::string error;
  REQUIRE(ParseProfile(text, &profile, &error));
  CHECK(profile.short_functions == functions);
  CHECK(text.starts_with("# autotrace profile 1, version " + profile.version + "\n"));
}

TEST_CASE("a profile's version says what it lists") {
  Profile one;
  Profile same;
  Profile other;
  std::string error;
  CHECK(ParseProfile(WriteProfile({"a", "b"}, "1us"), &one, &error));
  CHECK(ParseProfile(WriteProfile({"b", "a"}, "1us"), &same, &error));
  CHECK(ParseProfile(WriteProfile({"ab"}, "1us"), &other, &error));
  CHECK(one.version.size() == 16);
  CHECK(one.version == same.version);
  CHECK(one.version != other.version);
}

TEST_CASE("a profile that lists nothing is one") {
  Profile profile;
  std::string error;
  CHECK(ParseProfile(WriteProfile({}, "1us"), &profile, &error));
  CHECK(profile.short_functions.empty());
}

TEST_CASE("what is no profile, or was changed, is told so") {
  CHECK(ErrorOf("").starts_with("is no profile: its first line is \"\""));
  CHECK(ErrorOf("int main() {}\n").starts_with("is no profile: its first line is \"int main"));
  const std::string text = WriteProfile({"a"}, "1us");
  CHECK(ErrorOf(text + "b\n").starts_with("was changed after it was written"));
  CHECK(ErrorOf(text.substr(0, text.size() - 1)).starts_with("was changed after it was written"));
}

TEST_CASE("a profile's path is in what is said of it") {
  const test::TemporaryFolder folder;
  Profile profile;
  std::string error;
  CHECK_FALSE(ReadProfile(folder / "none", &profile, &error));
  CHECK(error == folder / "none" + " cannot be read: No such file or directory");
  CHECK_FALSE(ReadProfile(folder.Write("text", "x\n"), &profile, &error));
  CHECK(error.starts_with(folder / "text" + " is no profile"));
  CHECK(ReadProfile(folder.Write("profile", WriteProfile({"a"}, "1us")), &profile, &error));
}

}  // namespace
}  // namespace autotrace::filters
