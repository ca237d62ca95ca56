#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <string_view>

#include "cli/messages.h"
#include "cli/strings.h"

namespace autotrace::cli {
namespace {

constexpr char kDescription[] =
    R"(autotracer: records and shows traces of C++ programs that were compiled with
-finstrument-functions.)";

constexpr char kFooter[] = R"(A first trace:
  g++ $(autotracer flags --compiler g++) main.cc -o my_service     compile with hooks
  autotracer run -- ./my_service                                   run it, record its calls
  autotracer tree                                                  see them

A program that is linked to the runtime records without `autotracer run`:
  AUTOTRACE_MODULES=my_service ./my_service

RUN is a run's name from `autotracer list`, the path of its folder or of the file that it was packed
into (.atpack), or nothing for the newest.
`autotracer SUB-COMMAND --help` explains each with examples.

Exit codes:
  0  done
  1  failed, or nothing was found
  2  the command line was not understood
  3  there is a result, but parts of the run are damaged or missing; stderr says which
  `run` exits with the program's own status; 126: cannot be executed, 127: not found.

Environment: AUTOTRACE_DIR (where runs lie), NO_COLOR, COLUMNS.)";

// Takes what stands behind "--" of `autotracer ... run ... -- PROG ARGS` out of the arguments, so
// that the parser never sees the program's own options.
std::vector<std::string> SplitOffProgram(std::vector<std::string>* arguments) {
  const auto separator = std::find(arguments->begin(), arguments->end(), "--");
  const auto run = std::find(arguments->begin(), separator, "run");
  if (separator == arguments->end() || run == separator) return {};
  std::vector<std::string> program(separator + 1, arguments->end());
  arguments->erase(separator, arguments->end());
  return program;
}

// Output that could not be written (a full disk) is a failure that only shows now.
int FlushOutput(int exit_code) {
  errno = 0;
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return exit_code;
  const int error = errno != 0 ? errno : EIO;
  PrintMessage(Concat("cannot write to stdout: ", strerror(error)));
  return exit_code == kExitOk || exit_code == kExitPartial ? kExitFailed : exit_code;
}

int Parse(CLI::App* app, CommandContext* context, std::vector<std::string> arguments) {
  context->program = SplitOffProgram(&arguments);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app->parse(arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app->exit(error);
      return kExitOk;
    }
    const auto used = app->get_subcommands();
    PrintMessage(error.what());
    PrintMessage(
        Concat("see: autotracer ", used.empty() ? "" : used[0]->get_name() + " ", "--help"));
    return kExitUsage;
  }
  return context->exit_code;
}

}  // namespace

int RunAutotracer(int argc, char** argv) {
  // Nothing of ours throws; what is left is memory.
  try {
    CLI::App app(kDescription, "autotracer");
    CommandContext context;
    app.footer(kFooter);
    app.set_version_flag("--version", "autotracer " AUTOTRACE_VERSION);
    app.option_defaults()->always_capture_default();
    app.add_option("--dir", context.dir,
                   "where runs lie; default: AUTOTRACE_DIR, else ./autotrace.data")
        ->type_name("DIR");
    app.require_subcommand(1);
    AddRunCommand(&app, &context);
    AddTreeCommand(&app, &context);
    AddReportCommand(&app, &context);
    AddExportCommand(&app, &context);
    AddFunctionsCommand(&app, &context);
    AddFlagsCommand(&app, &context);
    AddCheckConfigCommand(&app, &context);
    AddListCommand(&app, &context);
    AddCleanCommand(&app, &context);
    AddRecoverCommand(&app, &context);
    AddPushCommand(&app, &context);
    AddPackCommand(&app, &context);
    AddProfileCommand(&app, &context);
    AddCtlCommand(&app, &context);
    return FlushOutput(Parse(&app, &context, std::vector<std::string>(argv + 1, argv + argc)));
  } catch (const std::exception& error) {
    PrintMessage(error.what());
    return kExitFailed;
  }
}

}  // namespace autotrace::cli
