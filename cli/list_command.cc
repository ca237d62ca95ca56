// autotracer list: the recorded runs.
#include <stdio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "cli/terminal.h"
#include "cli/text_format.h"
#include "exporter/run_reader.h"

namespace autotrace::cli {
namespace {

// "ended"; with several processes and states "1 running, 2 ended".
std::string DescribeProcesses(const exporter::Run& run) {
  constexpr std::array<std::pair<exporter::ProcessState, const char*>, 3> kStates = {{
      {exporter::ProcessState::kRunning, "running"},
      {exporter::ProcessState::kEnded, "ended"},
      {exporter::ProcessState::kDied, "died"},
  }};
  std::vector<std::string> parts;
  for (const auto& [state, word] : kStates) {
    const auto count =
        std::count_if(run.processes.begin(), run.processes.end(),
                      [wanted = state](const auto& process) { return process.state == wanted; });
    if (count == 0) continue;
    if (static_cast<size_t>(count) == run.processes.size()) return word;
    parts.push_back(Concat(count, " ", word));
  }
  return parts.empty() ? "empty" : Join(parts, ", ");
}

std::string DescribeState(const exporter::Run& run) {
  return DescribeProcesses(run) + (run.pack != nullptr ? ", packed" : "");
}

// "12,345 spans, 1.2 MiB"; empty where nothing was to be sent or everything was.
std::string DescribeUnsent(const exporter::Run& run) {
  const exporter::Unsent unsent = UnsentOf(run);
  if (unsent.spans == 0) return "";
  return Concat(Counted(unsent.spans, "span"), ", ", HumanBytes(unsent.bytes));
}

int ListRecordedRuns(const CommandContext& context) {
  const std::string folder = RunsFolder(context.dir);
  const auto runs = exporter::ListRuns(folder);
  if (!runs.ok()) {
    PrintError(runs.status());
    return kExitFailed;
  }
  if (runs->empty()) {
    PrintMessage(Concat("no runs in ", folder,
                        "; record one with: autotracer run -- PROGRAM, or name the folder "
                        "with --dir"));
    return kExitFailed;
  }
  using Row = std::array<std::string, 7>;
  std::vector<Row> rows = {
      {"run", "started", "processes", "state", "size", "not yet sent", "program"}};
  for (const exporter::Run& run : *runs) {
    rows.push_back({Printable(run.name), HumanTime(run.start_unix_nanos),
                    HumanCount(run.processes.size()), DescribeState(run), HumanBytes(run.bytes),
                    DescribeUnsent(run), DescribePrograms(run)});
  }
  // Few runs are to be sent at all.
  const bool has_unsent =
      std::any_of(rows.begin() + 1, rows.end(), [](const Row& row) { return !row[5].empty(); });
  std::array<size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  const bool colour = DetectTerminal(STDOUT_FILENO).colour;
  for (const Row& row : rows) {
    const std::string line =
        Concat(PadRight(row[0], widths[0]), "  ", PadRight(row[1], widths[1]), "  ",
               PadLeft(row[2], widths[2]), "  ", PadRight(row[3], widths[3]), "  ",
               PadLeft(row[4], widths[4]), "  ",
               has_unsent ? PadLeft(row[5], widths[5]) + "  " : "", row[6]);
    puts(Styled(line, &row == &rows[0] ? Style::kDim : Style::kPlain, colour).c_str());
  }
  return kExitOk;
}

}  // namespace

void AddListCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("list", "List the recorded runs, the newest last");
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(State: running; ended: in an orderly way; died: killed or crashed, what it left can be read; packed:
by autotracer pack.
Not yet sent: what an OTLP endpoint was to get and has not; autotracer push sends it.

Examples:
  autotracer list
  autotracer list --dir /var/lib/my_service/autotrace.data

Exit codes: 0 there are runs, 1 there are none or the folder cannot be read.)");
  command->callback([context] { context->exit_code = ListRecordedRuns(*context); });
}

}  // namespace autotrace::cli
