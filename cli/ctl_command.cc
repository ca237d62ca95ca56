// autotracer ctl: steers a running program.
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
#include "exporter/run_reader.h"
#include "runtime/control_page.h"

namespace autotrace::cli {
namespace {

// A program that does nothing looks ten times a second; one on a busy machine less often.
constexpr uint64_t kTimeoutNanos = 5'000'000'000;

struct Options {
  uint64_t pid = 0;
  std::string request;
};

std::string PrintableLines(const std::string& text) {
  std::string lines;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines += (at > 0 ? "\n" : "") + Printable(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

int Steer(const Options& options, const CommandContext& context) {
  const std::string folder = RunsFolder(context.dir);
  const auto runs = exporter::ListRuns(folder);
  if (!runs.ok()) {
    PrintError(runs.status());
    return kExitFailed;
  }
  const exporter::ProcessFiles* found = nullptr;
  for (const exporter::Run& run : *runs) {
    for (const exporter::ProcessFiles& process : run.processes) {
      if (process.pid == options.pid && process.state == exporter::ProcessState::kRunning) {
        found = &process;
      }
    }
  }
  if (found == nullptr) {
    PrintMessage(Concat("no traced program with process id ", std::to_string(options.pid),
                        " runs that records below ", Printable(folder),
                        " (autotracer list shows what there is; --dir or AUTOTRACE_DIR names the "
                        "folder)"));
    return kExitFailed;
  }
  ControlClient client;
  std::string text;
  if (!client.Open(found->stem() + std::string(kControlSuffix), &text)) {
    PrintMessage(text);
    return kExitFailed;
  }
  bool done = false;
  if (!client.Ask(options.request, kTimeoutNanos, &done, &text)) {
    PrintMessage("no answer: the program is stopped, or has just ended");
    return kExitFailed;
  }
  if (!done) {
    PrintMessage(PrintableLines(text));
    return kExitUsage;
  }
  printf("%s\n", PrintableLines(text).c_str());
  return kExitOk;
}

}  // namespace

void AddCtlCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("ctl", "Pause, resume or change a running program");
  const auto options = std::make_shared<Options>();
  command->add_option("PID", options->pid, "process id of the program")->required()->type_name("");
  command
      ->add_option("REQUEST", options->request,
                   "on, off, status, modules=PATTERNS, exclude=PATTERNS, min_duration=DURATION or "
                   "quiet_after=CALLS")
      ->required()
      ->type_name("");
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(Takes effect within a second, for calls that begin from then on; what is open ends as it began. Off
takes the hooks out of the code again. The program starts with what its environment says;
AUTOTRACE_START=paused starts it off. Functions that fell quiet are recorded again by any change. Prints
what holds now.

Examples:
  autotracer ctl 4711 off
  autotracer ctl 4711 modules=pipeline_app,libstorage.so
  autotracer ctl 4711 min_duration=1ms
  autotracer ctl 4711 status

Exit codes: 0 done; 1 no such program, or no answer; 2 not understood, and nothing is changed.)");
  command->callback([options, context] { context->exit_code = Steer(*options, *context); });
}

}  // namespace autotrace::cli
