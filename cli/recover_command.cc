// autotracer recover: saves what programs that died left in shared memory.
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "cli/text_format.h"
#include "exporter/recover.h"
#include "exporter/run_reader.h"

namespace autotrace::cli {
namespace {

// Processes that left a ring and no longer run.
uint64_t RingsToSave(const exporter::Run& run) {
  return static_cast<uint64_t>(
      std::count_if(run.processes.begin(), run.processes.end(), [](const auto& process) {
        return process.state != exporter::ProcessState::kRunning && !process.ring_path.empty();
      }));
}

int Recover(const std::string& name, const CommandContext& context) {
  const std::string folder = RunsFolder(context.dir);
  const auto run = exporter::FindRun(folder, name);
  if (!run.ok()) {
    PrintError(run.status());
    return kExitFailed;
  }
  const uint64_t before = RingsToSave(*run);
  if (before == 0) {
    printf("run %s is complete: nothing to recover\n", Printable(run->name).c_str());
    return kExitOk;
  }
  if (absl::Status status = exporter::RecoverRun(*run); !status.ok()) {
    PrintError(status);
    return kExitFailed;
  }
  printf("run %s: saved what %s left in memory\n", Printable(run->name).c_str(),
         Counted(before, "process").c_str());
  return kExitOk;
}

}  // namespace

void AddRecoverCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command =
      app->add_subcommand("recover", "Save what a killed program left in shared memory");
  const auto run = std::make_shared<std::string>();
  command->add_option("RUN", *run, "run to recover; default: the newest")->type_name("");
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(The last spans of a program that was killed are in shared memory only, which a reboot empties.
tree, report and export read them there; this writes them into the run's folder and frees the
memory.

Examples:
  autotracer recover

Exit codes: 0 saved, or nothing to save; 1 no run, or it could not be saved.)");
  command->callback([run, context] { context->exit_code = Recover(*run, *context); });
}

}  // namespace autotrace::cli
