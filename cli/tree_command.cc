// autotracer tree: a run's spans in the terminal.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/recorded_run.h"
#include "cli/span_table.h"
#include "cli/strings.h"
#include "cli/terminal.h"
#include "cli/text_format.h"
#include "cli/tree_view.h"
#include "exporter/run_reader.h"

namespace autotrace::cli {
namespace {

constexpr uint64_t kDefaultLines = 200;

struct Options {
  std::string run;
  std::string trace;
  bool all = false;
  bool callers = false;
  uint64_t limit = kDefaultLines;
  bool has_limit = false;
  uint64_t depth = 0;
};

std::string Heading(const exporter::Run& run, const SpanTable& table,
                    const exporter::ReadStatistics& statistics) {
  std::string text =
      Concat("run ", Printable(run.name), "  ", DescribePrograms(run), "  ",
             Counted(table.size(), "span"), " in ", Counted(table.trace_count(), "trace"));
  const std::string dropped = DescribeDropped(statistics);
  if (!dropped.empty()) text += Concat("  dropped: ", dropped);
  return text;
}

int NothingToShow(const Options& options, const exporter::Run& run,
                  const exporter::ReadStatistics& statistics) {
  const std::string dropped = DescribeDropped(statistics);
  if (!options.trace.empty()) {
    PrintMessage(Concat("no trace ", options.trace, " in run ", run.name,
                        "; autotracer tree shows the traces it has"));
  } else if (!statistics.warnings.empty()) {
    PrintMessage(Concat("nothing of run ", run.name, " can be read; the warnings say why"));
  } else {
    PrintMessage(
        Concat("no spans in run ", run.name, dropped.empty() ? "" : "; dropped: ", dropped,
               "; did AUTOTRACE_MODULES match anything? autotracer functions BINARY tells"));
  }
  return kExitFailed;
}

int ShowTree(const Options& options, const CommandContext& context) {
  const auto run = exporter::FindRun(RunsFolder(context.dir), options.run);
  if (!run.ok()) {
    PrintError(run.status());
    return kExitFailed;
  }
  SpanTable table(options.trace);
  const auto statistics = ReadRun(*run, options.callers, &table);
  if (!statistics.ok()) {
    PrintError(statistics.status());
    return kExitFailed;
  }
  if (table.size() == 0) return NothingToShow(options, *run, *statistics);
  const Terminal terminal = DetectTerminal(STDOUT_FILENO);
  TreeOptions tree;
  tree.fold = !options.all;
  tree.callers = options.callers;
  tree.max_depth = options.depth;
  tree.max_lines = options.all && !options.has_limit ? 0 : options.limit;
  tree.columns = terminal.columns;
  tree.colour = terminal.colour;
  tree.heading = {Heading(*run, table, *statistics)};
  PrintTree(table, tree, LinesTo(stdout));
  return ExitCodeOf(*statistics);
}

}  // namespace

void AddTreeCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("tree", "Show a run's spans as a tree");
  const auto options = std::make_shared<Options>();
  command->add_option("RUN", options->run, "run to show; default: the newest")
      ->type_name("")
      ->capture_default_str();
  command->add_option("--trace", options->trace, "only this trace: its id or how that begins")
      ->type_name("ID")
      ->check([](const std::string& id) {
        return id.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos
                   ? std::string()
                   : "expected hexadecimal digits, found " + id;
      });
  command->add_flag("--all", options->all, "every span on a line of its own, without a limit");
  CLI::Option* limit =
      command->add_option("--limit", options->limit, "at most so many lines in all; 0: no limit")
          ->type_name("N")
          ->capture_default_str();
  command->add_option("--depth", options->depth, "at most so many levels")->type_name("N");
  command->add_flag("--callers", options->callers, "show where each call stands in the source");
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(R"(Calls of one function under one parent are folded into a line such as
  app::process_record ×7910  total 41.2 ms  p50 4.84 µs  p99 12.1 µs  max 98.0 µs
and what stands below it is the slowest of them. Children stand in the order they began in.
Marks: pipeline ID (on a trace's root), manual (with its attributes), error, unfinished (still
open when the program died), "on NAME" (another thread than its parent's), "remote parent".

Examples:
  autotracer tree                      the newest run below AUTOTRACE_DIR
  autotracer tree --limit 40           an overview
  autotracer tree --depth 3 --callers
  autotracer tree --trace 4bf92f35     one trace of many
  autotracer tree --all | less         everything

Exit codes: 0 shown, 1 no run or no spans, 3 shown, but parts of the run are damaged.)");
  command->callback([options, context, limit] {
    options->has_limit = limit->count() > 0;
    context->exit_code = ShowTree(*options, *context);
  });
}

}  // namespace autotrace::cli
