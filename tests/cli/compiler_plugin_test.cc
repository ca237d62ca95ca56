#include "cli/compiler_plugin.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;
using Texts = std::vector<std::string>;

TEST_CASE("a plugin's folder is named after the compiler's major version") {
  CHECK(PluginFolder(CompilerKind::kGcc, "12\n") == "gcc-12");
  CHECK(PluginFolder(CompilerKind::kGcc, "12.2.0\n") == "gcc-12");
  CHECK(PluginFolder(CompilerKind::kClang, "14.0.6\n") == "clang-14");
}

TEST_CASE("a plugin is found below the folder of the runtime library") {
  const TemporaryFolder folder;
  for (const char* name : {"bin", "lib/autotrace-cpp/gcc-12"}) {
    std::filesystem::create_directories(folder / name);
  }
  CHECK(FindPluginFrom(folder / "bin", "gcc-12").empty());
  const std::string plugin = folder.Write("lib/autotrace-cpp/gcc-12/autotrace.so", "");
  CHECK(FindPluginFrom(folder / "bin", "gcc-12") == plugin);
  CHECK(FindPluginFrom(folder / "bin", "gcc-13").empty());
}

TEST_CASE("each compiler is told about the plugin in its own way") {
  HookRequest request;
  CHECK(PluginFlags(CompilerKind::kGcc, "/p.so", request) == Texts{"-fplugin=/p.so"});
  CHECK(PluginFlags(CompilerKind::kClang, "/p.so", request) ==
        Texts{"-fplugin=/p.so", "-fpass-plugin=/p.so"});
  request.modules = {"app,lib", "db"};
  request.leaves = "all";
  CHECK(PluginFlags(CompilerKind::kGcc, "/p.so", request) ==
        Texts{"-fplugin=/p.so", "-fplugin-arg-autotrace-modules=app,lib,db",
              "-fplugin-arg-autotrace-leaves=all"});
  CHECK(PluginFlags(CompilerKind::kClang, "/p.so", request) ==
        Texts{"-fplugin=/p.so", "-fpass-plugin=/p.so", "-Xclang", "-plugin-arg-autotrace",
              "-Xclang", "modules=app,lib,db", "-Xclang", "-plugin-arg-autotrace", "-Xclang",
              "leaves=all"});
  // CMake would leave out the second -Xclang.
  request.for_cmake = true;
  CHECK(PluginFlags(CompilerKind::kClang, "/p.so", request) ==
        Texts{"-fplugin=/p.so", "-fpass-plugin=/p.so", "-fplugin-arg-autotrace-modules=app,lib,db",
              "-fplugin-arg-autotrace-leaves=all"});
  request = {};
  request.profile = "/short.profile";
  request.profile_version = "0123456789abcdef";
  CHECK(PluginFlags(CompilerKind::kGcc, "/p.so", request) ==
        Texts{"-fplugin=/p.so", "-fplugin-arg-autotrace-profile=/short.profile",
              "-fplugin-arg-autotrace-profile-version=0123456789abcdef"});
}

}  // namespace
}  // namespace autotrace::cli
