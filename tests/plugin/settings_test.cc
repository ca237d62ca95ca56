#include "plugin/settings.h"

#include <catch2/catch.hpp>

#include "tests/support/test_files.h"

namespace autotrace::plugin {
namespace {

using filters::Strings;

std::string ErrorOf(std::string_view key, std::string_view value) {
  Settings settings;
  std::string error;
  CHECK_FALSE(ReadArgument(key, value, &settings, &error));
  return error;
}

TEST_CASE("patterns add up and may hold commas in brackets", "[plugin]") {
  Settings settings;
  std::string error;
  CHECK(ReadArgument("modules", "app,lib::Map<int, long>", &settings, &error));
  CHECK(ReadArgument("modules", "src/db/", &settings, &error));
  CHECK(settings.modules == Strings{"app", "lib::Map<int, long>", "src/db/"});
}

TEST_CASE("each setting is read", "[plugin]") {
  Settings settings;
  std::string error;
  CHECK(settings.leaves == Leaves::kInline);
  CHECK(ReadArgument("leaves", "all", &settings, &error));
  CHECK(settings.leaves == Leaves::kAll);
  CHECK(ReadArgument("leaves", "none", &settings, &error));
  CHECK(settings.leaves == Leaves::kNone);
  CHECK(ReadArgument("leaves", "inline", &settings, &error));
  CHECK(settings.leaves == Leaves::kInline);
  CHECK_FALSE(settings.keep_compiler_made);
  CHECK(ReadArgument("compiler-made", "keep", &settings, &error));
  CHECK(settings.keep_compiler_made);
  CHECK_FALSE(settings.report);
  CHECK(ReadArgument("report", "", &settings, &error));
  CHECK(settings.report);
}

TEST_CASE("a profile is read, and must have the version that is named", "[plugin]") {
  const test::TemporaryFolder folder;
  const std::string path =
      folder.Write("short.profile", filters::WriteProfile({"_ZN3app3runEv"}, "1us"));
  Settings settings;
  std::string error;
  CHECK(ReadArgument("profile", path, &settings, &error));
  CHECK(settings.profile.short_functions.count("_ZN3app3runEv") == 1);
  CHECK(CheckArguments(settings, &error));
  CHECK(ReadArgument("profile-version", settings.profile.version, &settings, &error));
  CHECK(CheckArguments(settings, &error));
  CHECK(ReadArgument("profile-version", "0123456789abcdef", &settings, &error));
  CHECK_FALSE(CheckArguments(settings, &error));
  CHECK(error.starts_with("profile-version: found \"0123456789abcdef\", but the profile is "));
  CHECK(ErrorOf("profile", folder / "none").starts_with("profile: " + folder / "none"));
}

TEST_CASE("a mistake says what was found and what was expected", "[plugin]") {
  CHECK(ErrorOf("leaves", "some") == "leaves: found \"some\", expected inline, all or none");
  CHECK(ErrorOf("compiler-made", "") == "compiler-made: found \"\", expected drop or keep");
  CHECK(ErrorOf("report", "yes") == "report: found \"yes\", expected no value");
  CHECK(ErrorOf("modlues", "app") == "there is no setting \"modlues\" (did you mean 'modules'?)");
  CHECK(ErrorOf("modules", "app,src:").starts_with("modules: found \"src:\", expected a pattern"));
}

}  // namespace
}  // namespace autotrace::plugin
