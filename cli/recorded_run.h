// What the sub-commands that read a recorded run share: finding it and reading it with a progress
// bar and warnings.
#ifndef AUTOTRACE_CLI_RECORDED_RUN_H_
#define AUTOTRACE_CLI_RECORDED_RUN_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/exit_code.h"
#include "exporter/run_reader.h"
#include "exporter/span.h"
#include "exporter/unsent_reader.h"

namespace autotrace::cli {

// The folder below which runs lie: `dir` if not empty, else what AUTOTRACE_DIR, the configuration
// file or the defaults say.
std::string RunsFolder(const std::string& dir);

// Reads all of `run` into `sink`, with a progress bar on stderr; warnings go there too. The
// statistics' warnings are not empty when parts could not be read. Errors are the sink's.
// `then`, if any, is called before what spans pointed to goes.
absl::StatusOr<exporter::ReadStatistics> ReadRun(
    const exporter::Run& run, bool source_locations, exporter::SpanSink* sink,
    const std::function<void(const exporter::RunReader&)>& then = nullptr);

// kExitPartial when something could not be read.
ExitCode ExitCodeOf(const exporter::ReadStatistics& statistics);

// "4,711 ring_full, 3 disk"; empty when nothing was dropped.
std::string DescribeDropped(const exporter::ReadStatistics& statistics);
// "app::length after 10,000 calls, ..."; empty when no function fell quiet.
std::string DescribeQuiet(const exporter::ReadStatistics& statistics);

// What was to be sent and was not, of all its processes.
exporter::Unsent UnsentOf(const exporter::Run& run);

// Is a process of it still running?
bool IsRunning(const exporter::Run& run);

// "my_service", or "my_service and 2 more processes".
std::string DescribePrograms(const exporter::Run& run);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_RECORDED_RUN_H_
