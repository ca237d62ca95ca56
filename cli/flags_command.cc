// autotracer flags: what to compile and link a program with.
#include <stdio.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/compiler_flags.h"
#include "cli/messages.h"
#include "cli/module_options.h"

namespace autotrace::cli {
namespace {

struct Options {
  std::string compiler;
  std::vector<std::string> modules;
  bool cmake = false;
  bool make = false;
  bool link = false;
};

int PrintFlags(const Options& options) {
  for (const std::string& modules : options.modules) {
    if (absl::Status status = CheckPatterns(modules); !status.ok()) {
      PrintError(status);
      return kExitUsage;
    }
  }
  std::vector<std::string> flags;
  if (options.link) {
    flags = LinkFlags();
  } else {
    auto compile_flags = CompileFlags(options.compiler);
    if (!compile_flags.ok()) {
      PrintError(compile_flags.status());
      return kExitFailed;
    }
    flags = *std::move(compile_flags);
    if (!options.modules.empty()) {
      PrintMessage(
          "these flags put hooks into every function; AUTOTRACE_MODULES chooses when the program "
          "runs");
    }
  }
  const FlagFormat format = options.cmake  ? FlagFormat::kCmake
                            : options.make ? FlagFormat::kMake
                                           : FlagFormat::kShell;
  printf("%s\n", FormatFlags(flags, format).c_str());
  return kExitOk;
}

std::string DefaultCompiler() {
  const char* compiler = getenv("CXX");
  return compiler != nullptr && *compiler != '\0' ? compiler : "c++";
}

}  // namespace

void AddFlagsCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("flags", "Print the flags that compile in the hooks");
  const auto options = std::make_shared<Options>();
  options->compiler = DefaultCompiler();
  command
      ->add_option("--compiler", options->compiler,
                   "GCC or Clang, as in CXX; default: CXX, else c++")
      ->type_name("CXX");
  command->add_option("--modules", options->modules, "patterns that will be traced")
      ->type_name("P")
      ->take_all();
  command->add_flag("--link", options->link, "print the linker's flags instead");
  CLI::Option* cmake = command->add_flag("--cmake", options->cmake, "as a CMake list");
  CLI::Option* make = command->add_flag("--make", options->make, "quoted for a makefile");
  cmake->excludes(make);
  command->footer(R"(Examples:
  g++ $(autotracer flags --compiler g++) -c main.cc
  g++ main.o $(autotracer flags --link) -o my_service
  HOOKS := $(shell autotracer flags --compiler $(CXX) --make)       in a makefile

GCC's flags exclude the headers of the compiler and its standard library, Clang's put hooks in
after inlining. CMake projects need none of this: autotrace_instrument(my_service).

Exit codes: 0 printed, 1 the compiler cannot be asked or is neither GCC nor Clang.)");
  command->callback([options, context] { context->exit_code = PrintFlags(*options); });
}

}  // namespace autotrace::cli
