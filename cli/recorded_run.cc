#include "cli/recorded_run.h"

#include <stdlib.h>

#include <algorithm>
#include <string_view>

#include "cli/messages.h"
#include "cli/strings.h"
#include "cli/terminal.h"
#include "cli/text_format.h"
#include "filters/config_loader.h"

namespace autotrace::cli {

std::string RunsFolder(const std::string& dir) {
  if (!dir.empty()) return dir;
  // A mistake in a setting that has nothing to do with the folder is no reason not to read.
  const auto only_the_folder = [](const char* name) -> const char* {
    const std::string_view variable(name);
    const bool is_wanted =
        variable == "AUTOTRACE_DIR" || variable == "AUTOTRACE_CONFIG" ||
        (variable.substr(0, 10) != "AUTOTRACE_" && variable.substr(0, 5) != "OTEL_");
    return is_wanted ? getenv(name) : nullptr;
  };
  const filters::LoadResult loaded = filters::LoadConfig(only_the_folder);
  if (loaded.error.empty()) return loaded.config.dir;
  PrintWarning(loaded.error);
  return filters::LoadConfig([&](const char* name) -> const char* {
           return std::string_view(name) == "AUTOTRACE_CONFIG" ? nullptr : only_the_folder(name);
         })
      .config.dir;
}

absl::StatusOr<exporter::ReadStatistics> ReadRun(
    const exporter::Run& run, bool source_locations, exporter::SpanSink* sink,
    const std::function<void(const exporter::RunReader&)>& then) {
  exporter::ReadStatistics statistics;
  {
    ProgressBar bar("reading");
    exporter::ReadOptions options;
    options.progress = [&](uint64_t done, uint64_t total) { bar.Update(done, total); };
    options.source_locations = source_locations;
    exporter::RunReader reader(run, options);
    if (absl::Status status = reader.Read(*sink); !status.ok()) return status;
    statistics = reader.statistics();
    if (then) then(reader);
  }
  for (const std::string& warning : statistics.warnings) PrintWarning(warning);
  return statistics;
}

ExitCode ExitCodeOf(const exporter::ReadStatistics& statistics) {
  return statistics.warnings.empty() ? kExitOk : kExitPartial;
}

std::string DescribeDropped(const exporter::ReadStatistics& statistics) {
  std::vector<std::string> causes;
  for (const auto& [cause, count] : statistics.dropped) {
    if (count > 0) causes.push_back(Concat(HumanCount(count), " ", cause));
  }
  return Join(causes, ", ");
}

std::string DescribeQuiet(const exporter::ReadStatistics& statistics) {
  constexpr size_t kMost = 20;
  std::vector<std::string> functions;
  for (const auto& [name, calls] : statistics.quiet) {
    if (functions.size() == kMost) {
      functions.push_back(Concat("and ", HumanCount(statistics.quiet.size() - kMost), " more"));
      break;
    }
    functions.push_back(Concat(name, " after ", HumanCount(calls), " calls"));
  }
  return Join(functions, ", ");
}

exporter::Unsent UnsentOf(const exporter::Run& run) {
  exporter::Unsent sum;
  for (const exporter::ProcessFiles& process : run.processes) {
    if (!process.has_unsent()) continue;
    const exporter::Unsent unsent = exporter::CountUnsent(process);
    sum.spans += unsent.spans;
    sum.bytes += unsent.bytes;
  }
  return sum;
}

bool IsRunning(const exporter::Run& run) {
  return std::any_of(run.processes.begin(), run.processes.end(), [](const auto& process) {
    return process.state == exporter::ProcessState::kRunning;
  });
}

std::string DescribePrograms(const exporter::Run& run) {
  if (run.processes.empty()) return "no process";
  const std::string& executable = run.processes[0].executable;
  std::string text = executable.substr(executable.rfind('/') + 1);
  if (text.empty()) text = Concat("process ", run.processes[0].pid);
  const size_t more = run.processes.size() - 1;
  if (more > 0) text += Concat(" and ", Counted(more, "more process"));
  return Printable(text);
}

}  // namespace autotrace::cli
