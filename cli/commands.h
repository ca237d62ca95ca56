// The sub-commands. Each Add function registers one with its options and help; its callback does
// the work when the command line names it, and leaves the exit code in the context.
#ifndef AUTOTRACE_CLI_COMMANDS_H_
#define AUTOTRACE_CLI_COMMANDS_H_

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace CLI {
class App;
}

namespace autotrace::cli {

struct CommandContext {
  // --dir: below which runs lie. Empty: AUTOTRACE_DIR, the configuration or the default.
  std::string dir;
  // What stands behind the first "--" of `autotracer run`.
  std::vector<std::string> program;
  int exit_code = kExitOk;
};

void AddRunCommand(CLI::App* app, CommandContext* context);
void AddTreeCommand(CLI::App* app, CommandContext* context);
void AddReportCommand(CLI::App* app, CommandContext* context);
void AddExportCommand(CLI::App* app, CommandContext* context);
void AddFunctionsCommand(CLI::App* app, CommandContext* context);
void AddFlagsCommand(CLI::App* app, CommandContext* context);
void AddCheckConfigCommand(CLI::App* app, CommandContext* context);
void AddListCommand(CLI::App* app, CommandContext* context);
void AddCleanCommand(CLI::App* app, CommandContext* context);
void AddRecoverCommand(CLI::App* app, CommandContext* context);
void AddPushCommand(CLI::App* app, CommandContext* context);
void AddPackCommand(CLI::App* app, CommandContext* context);
void AddProfileCommand(CLI::App* app, CommandContext* context);
void AddCtlCommand(CLI::App* app, CommandContext* context);

// The whole command: parses, runs, returns the exit code. Output goes to stdout and stderr.
int RunAutotracer(int argc, char** argv);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_COMMANDS_H_
