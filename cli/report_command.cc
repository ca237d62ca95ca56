// autotracer report: a run's time per function.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/function_report.h"
#include "cli/messages.h"
#include "cli/recorded_run.h"
#include "cli/span_table.h"
#include "cli/strings.h"
#include "cli/terminal.h"
#include "cli/text_format.h"
#include "exporter/run_reader.h"

namespace autotrace::cli {
namespace {

struct Options {
  std::string run;
  std::string sort = "total";
  uint64_t top = 50;
};

const std::map<std::string, ReportOrder>& Orders() {
  static const std::map<std::string, ReportOrder> kOrders = {{"total", ReportOrder::kTotal},
                                                             {"self", ReportOrder::kSelf},
                                                             {"calls", ReportOrder::kCalls},
                                                             {"max", ReportOrder::kMax},
                                                             {"mean", ReportOrder::kMean}};
  return kOrders;
}

int ShowReport(const Options& options, const CommandContext& context) {
  const auto run = exporter::FindRun(RunsFolder(context.dir), options.run);
  if (!run.ok()) {
    PrintError(run.status());
    return kExitFailed;
  }
  SpanTable table;
  const auto statistics = ReadRun(*run, false, &table);
  if (!statistics.ok()) {
    PrintError(statistics.status());
    return kExitFailed;
  }
  const std::string dropped = DescribeDropped(*statistics);
  const Terminal terminal = DetectTerminal(STDOUT_FILENO);
  if (table.size() > 0) {
    std::vector<FunctionTimes> functions = TimesPerFunction(table);
    SortTimes(Orders().at(options.sort), &functions);
    PrintReport(functions, options.top, terminal.is_terminal ? terminal.columns : 0,
                terminal.colour, LinesTo(stdout));
  }
  if (!dropped.empty()) printf("dropped spans: %s\n", dropped.c_str());
  if (!statistics->quiet.empty()) {
    printf("quiet, always shorter than min_duration: %s\n", DescribeQuiet(*statistics).c_str());
  }
  if (statistics->unfinished > 0) {
    printf("unfinished: %s, open when the program ended\n",
           Counted(statistics->unfinished, "span").c_str());
  }
  if (table.size() == 0) {
    PrintMessage(Concat("no spans in run ", run->name));
    return kExitFailed;
  }
  return ExitCodeOf(*statistics);
}

}  // namespace

void AddReportCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("report", "Show a run's time per function");
  const auto options = std::make_shared<Options>();
  command->add_option("RUN", options->run, "run to report on; default: the newest")->type_name("");
  std::vector<std::string> orders;
  for (const auto& [name, order] : Orders()) orders.push_back(name);
  command->add_option("--sort", options->sort, "calls, max, mean, self or total")
      ->type_name("COLUMN")
      ->check(CLI::IsMember(orders))
      ->capture_default_str();
  command->add_option("--top", options->top, "at most so many functions; 0: all")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(R"(  calls   how often it was recorded
  total   time during which it was open; a recursive call inside it is not counted again
  self    its calls' time without their direct children on the same thread
  mean, p50, p99, max   of the single calls; percentiles of more than 4096 calls within 1%

Examples:
  autotracer report                       the newest run, by total time
  autotracer report --sort self --top 10  where the time goes

Exit codes: 0 shown, 1 no run or no spans, 3 shown, but parts of the run are damaged.)");
  command->callback([options, context] { context->exit_code = ShowReport(*options, *context); });
}

}  // namespace autotrace::cli
