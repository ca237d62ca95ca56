// autotracer clean: removes recorded runs.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/recorded_run.h"
#include "cli/run_cleaner.h"
#include "cli/strings.h"
#include "cli/text_format.h"
#include "exporter/packed_folder.h"
#include "exporter/run_reader.h"
#include "filters/config_loader.h"

namespace autotrace::cli {
namespace {

struct Options {
  bool all = false;
  uint64_t keep = 10;
  bool has_keep = false;
  std::string older_than;
  bool unsent = false;
};

uint64_t NowUnixNanos() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Days, hours and minutes (7d, 12h, 30min), which nobody needs for spans, and what ParseDuration
// takes.
bool ParseAge(std::string_view text, uint64_t* nanoseconds, std::string* error) {
  constexpr uint64_t kSecond = 1'000'000'000;
  const size_t unit_at = text.find_first_not_of("0123456789");
  uint64_t number = 0;
  if (unit_at != std::string_view::npos && ParseNumber(text.substr(0, unit_at), &number) &&
      number < 1'000'000) {
    const std::string_view unit = text.substr(unit_at);
    const uint64_t seconds = unit == "d" ? 86400 : unit == "h" ? 3600 : unit == "min" ? 60 : 0;
    if (seconds != 0) {
      *nanoseconds = number * seconds * kSecond;
      return true;
    }
  }
  if (filters::ParseDuration(text, nanoseconds, error)) return true;
  *error = Concat("found ", text, ", expected an age with a unit: 7d, 12h, 30min, 90s");
  return false;
}

int Clean(const Options& options, const CommandContext& context) {
  CleanRule rule;
  rule.all = options.all;
  rule.now_unix_nanos = NowUnixNanos();
  // An age alone chooses by age alone.
  rule.keep = options.has_keep || options.older_than.empty() ? options.keep : 0;
  std::string error;
  if (!options.older_than.empty() &&
      !ParseAge(options.older_than, &rule.older_than_nanos, &error)) {
    PrintMessage(Concat("--older-than: ", error));
    return kExitUsage;
  }
  const std::string folder = RunsFolder(context.dir);
  const auto runs = exporter::ListRuns(folder);
  if (!runs.ok()) {
    PrintError(runs.status());
    return kExitFailed;
  }
  uint64_t removed = 0;
  uint64_t bytes = 0;
  int exit_code = kExitOk;
  uint64_t unsent_runs = 0;
  uint64_t unsent_spans = 0;
  for (const exporter::Run& run : RunsToRemove(*runs, rule)) {
    if (const uint64_t spans = options.unsent ? 0 : UnsentOf(run).spans; spans > 0) {
      ++unsent_runs;
      unsent_spans += spans;
      continue;
    }
    if (absl::Status status = RemoveRun(run); !status.ok()) {
      PrintError(status);
      exit_code = kExitFailed;
      continue;
    }
    ++removed;
    bytes += run.bytes;
  }
  RemoveEmptyRuns(folder, rule.now_unix_nanos);
  exporter::RemovePackingLeftovers(folder);
  uint64_t rings = 0;
  for (const std::string& ring : OrphanedRings("/dev/shm", rule.now_unix_nanos)) {
    rings += unlink(ring.c_str()) == 0 ? 1 : 0;
  }
  std::string text = Concat("removed ", Counted(removed, "run"), " (", HumanBytes(bytes),
                            "), kept ", HumanCount(runs->size() - removed));
  if (rings > 0) {
    text += Concat("; removed ", Counted(rings, "ring"), " that dead programs left");
  }
  printf("%s\n", text.c_str());
  if (unsent_runs > 0) {
    PrintMessage(Concat("kept ", Counted(unsent_runs, "run"), " with ",
                        Counted(unsent_spans, "span"),
                        " that were not sent: autotracer push sends "
                        "them, autotracer clean --unsent removes them, too"));
  }
  return exit_code;
}

}  // namespace

void AddCleanCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("clean", "Remove recorded runs");
  const auto options = std::make_shared<Options>();
  CLI::Option* keep = command->add_option("--keep", options->keep, "keep the newest N runs")
                          ->type_name("N")
                          ->capture_default_str();
  command->add_flag("--all", options->all, "remove all runs")->excludes(keep);
  command->add_option("--older-than", options->older_than, "only runs that began so long ago")
      ->type_name("AGE");
  command->add_flag("--unsent", options->unsent, "also runs with spans that were not sent");
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(Never removes a run of a running program, nor a folder that is no run, nor, without --unsent, spans
that were to be sent to an OTLP endpoint and were not. Packed runs count and go like others. Removes as
well what killed programs left in shared memory, when their run is gone.

Examples:
  autotracer clean                     all but the newest 10
  autotracer clean --keep 3
  autotracer clean --older-than 7d     30min, 12h, 7d
  autotracer clean --all

Exit codes: 0 done, also when there was nothing to remove; 1 something could not be removed.)");
  command->callback([options, context, keep] {
    options->has_keep = keep->count() > 0;
    context->exit_code = Clean(*options, *context);
  });
}

}  // namespace autotrace::cli
