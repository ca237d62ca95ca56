#include "cli/compiler_flags.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/test_files.h"

namespace autotrace::cli {
namespace {

using test::TemporaryFolder;

using Texts = std::vector<std::string>;

TEST_CASE("compilers are told apart by what --version prints") {
  CHECK(CompilerKindOf("g++-12 (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022 Free Software "
                       "Foundation, Inc.") == CompilerKind::kGcc);
  CHECK(CompilerKindOf("Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu") ==
        CompilerKind::kClang);
  CHECK(CompilerKindOf("tcc version 0.9.27") == CompilerKind::kUnknown);
}

TEST_CASE("only the angle-bracket search list counts") {
  CHECK(IncludeFolders("ignoring nonexistent directory\n"
                       "#include \"...\" search starts here:\n"
                       " /quoted/only\n"
                       "#include <...> search starts here:\n"
                       " /usr/include/c++/12\n"
                       " /usr/include\n"
                       "End of search list.\n"
                       " /after\n") == Texts{"/usr/include/c++/12", "/usr/include"});
}

TEST_CASE("only the compiler's and its standard library's folders are excluded") {
  const TemporaryFolder folder;
  const std::string& root = folder.path();
  for (const char* name : {"/include/c++/12/backward", "/include/x86/c++/12", "/lib/gcc/12/include",
                           "/include/gcc-tools"}) {
    std::filesystem::create_directories(root + name);
  }
  CHECK(StandardLibraryFolders({
            root + "/include/c++/12",
            root + "/include/x86/c++/12",
            root + "/include/c++/12/backward",
            root + "/lib/gcc/12/../12/include",
            root + "/include/c++/12",
            root + "/include/gcc-tools",
            root + "/include",
        }) == Texts{root + "/include/c++/12/", root + "/include/x86/c++/12/",
                    root + "/lib/gcc/12/include/"});
}

TEST_CASE("both spellings of a linked folder are excluded") {
  const TemporaryFolder folder;
  const std::string& root = folder.path();
  std::filesystem::create_directories(root + "/real/c++/12");
  std::filesystem::create_symlink(root + "/real", root + "/link");
  CHECK(StandardLibraryFolders({root + "/link/c++/12"}) ==
        Texts{root + "/link/c++/12/", root + "/real/c++/12/"});
}

TEST_CASE("flags are quoted for whom they are printed for") {
  const Texts flags = {"-g", "-flist=/usr/include/c++/12/", "-flist=/my $folder/c#'s"};
  CHECK(FormatFlags(flags, FlagFormat::kShell) ==
        "-g -flist=/usr/include/c++/12/ '-flist=/my $folder/c#'\\''s'");
  CHECK(FormatFlags(flags, FlagFormat::kMake) ==
        "-g -flist=/usr/include/c++/12/ '-flist=/my $$folder/c\\#'\\''s'");
  CHECK(FormatFlags({"-g", "-x=a;b"}, FlagFormat::kCmake) == "-g;-x=a\\;b");
}

TEST_CASE("what is no compiler is refused with its name") {
  const auto missing = CompileFlags("no-such-compiler-here", {});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.status().message().find("no-such-compiler-here") != std::string::npos);
  const auto wrong = CompileFlags("true", {});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.status().message().find("neither GCC nor Clang") != std::string::npos);
}

}  // namespace
}  // namespace autotrace::cli
