// autotracer export: a run in a file format that other programs read.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/output_file.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "cli/text_format.h"
#include "exporter/run_reader.h"
#include "exporter/sinks/file_sinks.h"

namespace autotrace::cli {
namespace {

struct Options {
  std::string run;
  std::string format;
  std::string output = "-";
};

absl::StatusOr<exporter::ReadStatistics> Write(const Options& options, const exporter::Run& run) {
  auto output = OutputFile::Open(options.output);
  if (!output.ok()) return output.status();
  auto sink = exporter::MakeFileSink(options.format, output->file());
  if (!sink.ok()) return sink.status();
  auto statistics = ReadRun(run, true, sink->get());
  if (!statistics.ok()) return statistics.status();
  // The sink may write when it is destroyed.
  sink->reset();
  if (absl::Status status = output->Commit(); !status.ok()) return status;
  return statistics;
}

int Export(const Options& options, const CommandContext& context) {
  const auto run = exporter::FindRun(RunsFolder(context.dir), options.run);
  if (!run.ok()) {
    PrintError(run.status());
    return kExitFailed;
  }
  const auto statistics = Write(options, *run);
  if (!statistics.ok()) {
    PrintError(statistics.status());
    return kExitFailed;
  }
  const std::string dropped = DescribeDropped(*statistics);
  if (!dropped.empty()) PrintWarning(Concat("spans were dropped: ", dropped));
  if (options.output != "-") {
    PrintMessage(Concat(Counted(statistics->spans, "span"), " written to ", options.output));
  }
  return ExitCodeOf(*statistics);
}

}  // namespace

void AddExportCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("export", "Write a run in a format for other programs");
  const auto options = std::make_shared<Options>();
  std::vector<std::string> formats;
  for (const std::string_view format : exporter::FileFormats()) formats.emplace_back(format);
  command->add_option("RUN", options->run, "run to export; default: the newest")->type_name("");
  command->add_option("--to", options->format, "otlp-json or chrome")
      ->type_name("FORMAT")
      ->required()
      ->check(CLI::IsMember(formats));
  command->add_option("--output,-o", options->output, "file to write; - is stdout")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(  otlp-json   OpenTelemetry's file format: one ExportTraceServiceRequest as JSON per line
  chrome      trace-event JSON: open it in https://ui.perfetto.dev or chrome://tracing

FILE appears when it is complete; a failed export leaves an older one as it was.

Examples:
  autotracer export --to otlp-json > trace.jsonl
  autotracer export --to chrome --output trace.json

Exit codes: 0 written, 1 no run or not written, 3 written, but parts of the run are damaged.)");
  command->callback([options, context] { context->exit_code = Export(*options, *context); });
}

}  // namespace autotrace::cli
