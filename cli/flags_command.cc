// autotracer flags: what to compile and link a program with.
#include <stdio.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/compiler_flags.h"
#include "cli/messages.h"
#include "cli/module_options.h"
#include "cli/strings.h"
#include "filters/profile.h"

namespace autotrace::cli {
namespace {

struct Options {
  std::string compiler;
  HookRequest request;
  bool cmake = false;
  bool make = false;
  bool link = false;
};

int PrintFlags(Options options) {
  for (const std::string& modules : options.request.modules) {
    if (absl::Status status = CheckPatterns(modules); !status.ok()) {
      PrintError(status);
      return kExitUsage;
    }
  }
  HookRequest& request = options.request;
  if (!request.profile.empty()) {
    filters::Profile profile;
    std::string error;
    if (!filters::ReadProfile(request.profile, &profile, &error)) {
      PrintMessage(error);
      return kExitUsage;
    }
    // The compiler may be started in another folder.
    request.profile = std::filesystem::absolute(request.profile).lexically_normal().string();
    request.profile_version = profile.version;
  }
  std::vector<std::string> flags;
  if (options.link) {
    flags = LinkFlags();
  } else {
    options.request.for_cmake = options.cmake;
    auto hooks = CompileFlags(options.compiler, options.request);
    if (!hooks.ok()) {
      PrintError(hooks.status());
      return kExitFailed;
    }
    flags = std::move(hooks->flags);
    if (!hooks->why_no_plugin.empty()) {
      PrintMessage(Concat(hooks->why_no_plugin,
                          ": these flags put hooks into every function; AUTOTRACE_MODULES chooses "
                          "when the program runs"));
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
  CLI::Option* modules =
      command
          ->add_option("--modules", options->request.modules,
                       "patterns: hooks for these only; default: all but the standard library")
          ->type_name("P")
          ->take_all();
  CLI::Option* leaves =
      command
          ->add_option("--leaves", options->request.leaves,
                       "functions without loop or call that get no hooks: inline ones (default), "
                       "all, or none")
          ->type_name("WHICH")
          ->check(CLI::IsMember({"inline", "all", "none"}));
  CLI::Option* profile =
      command
          ->add_option("--profile", options->request.profile,
                       "no hooks in what was short when recorded; `autotracer profile` writes it")
          ->type_name("FILE");
  command
      ->add_flag("!--no-plugin", options->request.use_plugin,
                 "do without the compiler plugin: hooks for every function")
      ->excludes(modules)
      ->excludes(leaves)
      ->excludes(profile);
  command->add_flag("--link", options->link, "print the linker's flags instead");
  CLI::Option* cmake = command->add_flag("--cmake", options->cmake, "as a CMake list");
  CLI::Option* make = command->add_flag("--make", options->make, "quoted for a makefile");
  cmake->excludes(make);
  command->footer(R"(Examples:
  g++ $(autotracer flags --compiler g++) -c main.cc
  g++ main.o $(autotracer flags --link) -o my_service
  g++ $(autotracer flags --compiler g++ --modules my_app) -c main.cc     with the plugin
  HOOKS := $(shell autotracer flags --compiler $(CXX) --make)       in a makefile

Where autotrace's plugin for the compiler is installed, the flags load it: it keeps hooks out of the
standard library, of members that the compiler made, and of small inline functions. Without it
GCC's flags exclude the headers of the compiler and its standard library, and Clang's put hooks in
after inlining. CMake projects need none of this: autotrace_instrument(my_service).

Exit codes: 0 printed, 1 the compiler cannot be asked or is neither GCC nor Clang.)");
  command->callback([options, context] { context->exit_code = PrintFlags(*options); });
}

}  // namespace autotrace::cli
