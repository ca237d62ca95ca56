#include "cli/runtime_library.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

TEST_CASE("the runtime is found beside the command") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "bin");
  std::filesystem::create_directories(folder / "lib");
  CHECK(FindRuntimeLibraryFrom(folder / "bin") == kRuntimeSoname);
  folder.Write("lib/libautotrace-cpp.so.0.1.0", "");
  const std::string link = folder / "lib/libautotrace-cpp.so.0";
  std::filesystem::create_symlink("libautotrace-cpp.so.0.1.0", link);
  CHECK(FindRuntimeLibraryFrom(folder / "bin") == link);
}

TEST_CASE("the runtime is found in the build tree") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "cli");
  std::filesystem::create_directories(folder / "runtime");
  const std::string library = folder.Write("runtime/libautotrace-cpp.so.0", "");
  CHECK(FindRuntimeLibraryFrom(folder / "cli") == library);
}

TEST_CASE("what is preloaded already stays, the runtime comes first and once") {
  CHECK(PrependPreload("/l/a.so", "") == "/l/a.so");
  CHECK(PrependPreload("/l/a.so", "libx.so /y.so") == "/l/a.so:libx.so:/y.so");
  CHECK(PrependPreload("/l/a.so", "libx.so:/l/a.so") == "/l/a.so:libx.so");
}

}  // namespace
}  // namespace autotrace::cli
