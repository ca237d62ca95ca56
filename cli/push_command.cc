// autotracer push: sends what programs that are gone could not send.
#include <stdio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/module_options.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "cli/terminal.h"
#include "cli/text_format.h"
#include "exporter/module_files.h"
#include "exporter/process_liveness.h"
#include "exporter/recover.h"
#include "exporter/run_files.h"
#include "exporter/run_packer.h"
#include "exporter/run_unpacker.h"
#include "exporter/sinks/failure_log.h"
#include "exporter/sinks/otlp_http.h"
#include "exporter/sinks/run_pusher.h"
#include "filters/config_loader.h"
#include "runtime/control_page.h"

namespace autotrace::cli {
namespace {

// An endpoint that is away for longer is away; what was not sent stays, and can be sent later.
constexpr std::chrono::seconds kGiveUpAfter(30);

struct Options {
  std::vector<std::string> runs;
  std::string endpoint;
  std::string headers;
  bool again = false;
};

using exporter::ProcessFiles;
using exporter::ProcessState;
using exporter::Run;

// What live export would take; the options are stronger.
filters::LoadResult LoadExportConfig(const Options& options) {
  Settings settings;
  if (!options.endpoint.empty()) {
    settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = options.endpoint;
    settings["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "";
  }
  if (!options.headers.empty()) {
    settings["OTEL_EXPORTER_OTLP_HEADERS"] = options.headers;
    settings["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = "";
  }
  const filters::Environment environment = OverEnvironment(settings);
  // A mistake in a setting that has nothing to do with sending is no reason not to send.
  return filters::LoadConfig([&](const char* name) -> const char* {
    const std::string_view variable(name);
    return variable.starts_with("AUTOTRACE_") && variable != "AUTOTRACE_CONFIG"
               ? nullptr
               : environment.Get(name);
  });
}

// Where the program was told to send to; empty: nowhere.
std::string OwnEndpoint(const ProcessFiles& process) {
  const auto found = exporter::FindProcess(exporter::SegmentsOf(process), process.process_key);
  if (!found.ok()) return "";
  return filters::ParseConfig(found->info.config_yaml, "recorded configuration")
      .config.otlp_endpoint;
}

// On this machine, which alone knows whether the process runs. Those of packed runs have ended.
bool IsOfThisHost(const ProcessFiles& process) {
  if (process.pack != nullptr) return true;
  const auto found = exporter::FindProcess(exporter::SegmentsOf(process), process.process_key);
  return !found.ok() || found->info.host_name.empty() ||
         found->info.host_name == exporter::HostName();
}

class Pusher {
 public:
  Pusher(const Options& options, filters::Config config)
      : options_(options), config_(std::move(config)), bar_("sending") {}

  // `was_named`: also what was never meant to be sent.
  void Push(const Run& found, bool was_named);
  ExitCode exit_code() const { return exit_code_; }

 private:
  bool IsToBeSent(const ProcessFiles& process, bool was_named) const {
    return process.has_unsent() || options_.again || (was_named && !process.sent.has_value());
  }
  std::vector<ProcessFiles> Choose(const Run& run, bool was_named);
  bool SendProcess(const Run& run, const ProcessFiles& process, exporter::ModuleFiles* modules);
  void PackAgain(const std::string& folder, const std::string& pack);
  void Fail(ExitCode code) { exit_code_ = exit_code_ == kExitFailed ? kExitFailed : code; }

  const Options options_;
  const filters::Config config_;
  ProgressBar bar_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
  uint64_t sent_spans_ = 0;
  uint64_t rejected_spans_ = 0;
  std::string endpoint_;  // the last one, for people
  ExitCode exit_code_ = kExitOk;
};

std::vector<ProcessFiles> Pusher::Choose(const Run& run, bool was_named) {
  std::vector<ProcessFiles> chosen;
  for (const ProcessFiles& process : run.processes) {
    if (!IsToBeSent(process, was_named)) continue;
    const std::string who = Concat("run ", Printable(run.name), ": process ", process.pid);
    if (process.state == ProcessState::kRunning) {
      PrintMessage(Concat(who, " still runs, and sends its spans itself; it is left alone"));
      if (was_named) Fail(kExitFailed);
    } else if (process.state == ProcessState::kDied && !IsOfThisHost(process)) {
      PrintMessage(Concat(who,
                          " ran on another machine, which alone knows whether it still runs; "
                          "it is left alone"));
      if (was_named) Fail(kExitFailed);
    } else {
      chosen.push_back(process);
    }
  }
  return chosen;
}

// False when nothing more can be sent.
bool Pusher::SendProcess(const Run& run, const ProcessFiles& process,
                         exporter::ModuleFiles* modules) {
  exporter::OtlpHttpOptions http = exporter::OtlpHttpOptionsOf(config_);
  if (http.endpoint.empty()) http.endpoint = OwnEndpoint(process);
  if (http.endpoint.empty()) {
    PrintMessage(
        "where to? Set OTEL_EXPORTER_OTLP_ENDPOINT, or name it: "
        "autotracer push --endpoint http://localhost:4318");
    Fail(kExitUsage);
    return false;
  }
  endpoint_ = exporter::EndpointForPeople(http.endpoint);
  exporter::FailureLog failures(endpoint_, [](const std::string& line) { PrintMessage(line); });
  exporter::PushOptions push;
  push.sender.json = http.json;
  push.sender.request_timeout = std::chrono::nanoseconds(config_.otlp_timeout);
  push.sender.give_up_after = kGiveUpAfter;
  push.sender.stop_when_refused = true;
  push.from_the_start = options_.again;
  push.connect = [&]() -> absl::StatusOr<std::unique_ptr<exporter::OtlpTransport>> {
    auto transport = exporter::OtlpHttpSender::Create(http);
    if (!transport.ok()) return transport.status();
    return std::unique_ptr<exporter::OtlpTransport>(*std::move(transport));
  };
  push.on_failure = [&failures](const exporter::SendResult& result, uint64_t spans) {
    failures.Report(result, spans);
  };
  push.advance = [this](uint64_t bytes) {
    done_bytes_ += bytes;
    bar_.Update(std::min(done_bytes_, total_bytes_), total_bytes_);
  };
  const auto result = exporter::PushProcess(process, modules, push);
  if (!result.ok()) {
    PrintMessage(Concat("run ", Printable(run.name), ": ", result.status().message()));
    Fail(kExitFailed);
    return absl::IsAborted(result.status());
  }
  for (const std::string& warning : result->warnings) PrintWarning(warning);
  sent_spans_ += result->sent;
  rejected_spans_ += result->rejected;
  if (!result->warnings.empty() || result->rejected > 0) Fail(kExitPartial);
  if (!result->complete) Fail(kExitFailed);
  return result->complete;
}

// With the segments that were recovered.
absl::StatusOr<Run> Recovered(const Run& run) {
  if (absl::Status status = exporter::RecoverRun(run); !status.ok()) return status;
  return exporter::FindRun("", run.path);
}

// How far a run was sent is written down in its folder.
absl::StatusOr<Run> Unpacked(const Run& run) {
  const auto folder = exporter::UnpackRun(run);
  if (!folder.ok()) return folder.status();
  return exporter::FindRun("", *folder);
}

void Pusher::Push(const Run& found, bool was_named) {
  const std::string name = Printable(found.name);
  if (Choose(found, was_named).empty()) {
    if (was_named && exit_code_ == kExitOk) {
      printf("run %s: everything was sent already\n", name.c_str());
    }
    return;
  }
  const auto run = found.pack != nullptr ? Unpacked(found) : Recovered(found);
  if (!run.ok()) {
    PrintError(run.status());
    return Fail(kExitFailed);
  }
  std::vector<ProcessFiles> chosen;
  for (const ProcessFiles& process : run->processes) {
    const bool may_run = process.state == ProcessState::kRunning ||
                         (process.state == ProcessState::kDied && !IsOfThisHost(process));
    const bool is_left_alone = may_run && found.pack == nullptr;
    if (IsToBeSent(process, was_named) && !is_left_alone) chosen.push_back(process);
  }
  done_bytes_ = total_bytes_ = sent_spans_ = rejected_spans_ = 0;
  for (const ProcessFiles& process : chosen) total_bytes_ += process.bytes;
  exporter::ModuleFiles modules(/*source_locations=*/true);
  bool goes_on = true;
  for (const ProcessFiles& process : chosen) {
    goes_on = goes_on && SendProcess(*run, process, &modules);
    unlink((process.stem() + std::string(kControlSuffix)).c_str());  // nobody answers any more
  }
  rmdir(run->path.c_str());  // if nothing is left in it
  if (found.pack != nullptr) PackAgain(run->path, found.path);
  if (endpoint_.empty()) return;
  std::string text =
      Concat("run ", name, ": ", Counted(sent_spans_, "span"), " sent to ", endpoint_);
  if (rejected_spans_ > 0) text += Concat(", ", HumanCount(rejected_spans_), " rejected by it");
  printf("%s\n", text.c_str());
  fflush(stdout);
  if (!goes_on) PrintMessage(Concat("run ", name, ": the rest is kept; autotracer push goes on"));
}

void Pusher::PackAgain(const std::string& folder, const std::string& pack) {
  const auto run = exporter::FindRun("", folder);
  if (!run.ok()) return;  // a spool, all of which was sent
  exporter::PackOptions options;
  options.output = pack;
  options.all_have_ended = true;
  if (const auto packed = exporter::PackRun(*run, options); !packed.ok()) {
    PrintError(packed.status());
    Fail(kExitFailed);
  }
}

int PushRuns(const Options& options, const CommandContext& context) {
  const filters::LoadResult loaded = LoadExportConfig(options);
  if (!loaded.error.empty()) {
    PrintMessage(loaded.error);
    return kExitUsage;
  }
  Pusher pusher(options, loaded.config);
  const std::string folder = RunsFolder(context.dir);
  for (const std::string& name : options.runs) {
    const auto run = exporter::FindRun(folder, name);
    if (!run.ok()) {
      PrintError(run.status());
      return kExitFailed;
    }
    pusher.Push(*run, /*was_named=*/true);
    if (pusher.exit_code() == kExitFailed || pusher.exit_code() == kExitUsage) break;
  }
  if (!options.runs.empty()) return pusher.exit_code();

  const auto runs = exporter::ListRuns(folder);
  if (!runs.ok()) {
    PrintError(runs.status());
    return kExitFailed;
  }
  uint64_t pushed = 0;
  for (const Run& run : *runs) {
    const bool has_unsent =
        std::any_of(run.processes.begin(), run.processes.end(),
                    [](const ProcessFiles& process) { return process.has_unsent(); });
    if (!has_unsent) continue;
    ++pushed;
    pusher.Push(run, /*was_named=*/false);
    if (pusher.exit_code() == kExitFailed || pusher.exit_code() == kExitUsage) break;
  }
  if (pushed == 0) printf("nothing in %s waits to be sent\n", folder.c_str());
  return pusher.exit_code();
}

}  // namespace

void AddPushCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command =
      app->add_subcommand("push", "Send what programs could not send before they ended");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("RUN", options->runs,
                   "runs to send; default: all that were to be sent and were not")
      ->type_name("");
  command
      ->add_option("--endpoint", options->endpoint,
                   "where to; default: as the settings say, else where the program sent to")
      ->type_name("URL");
  command->add_option("--headers", options->headers, "HTTP headers: name=value,name=value")
      ->type_name("LIST");
  command->add_flag("--again", options->again, "also what was sent before")
      ->needs(command->get_option("RUN"));
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(A program that sends its spans to an OTLP endpoint keeps them on disk until the endpoint has them.
What is left when it is killed, or when the endpoint is away, is sent by this: in order, with the
same ids, each span once. Only what was on its way when the program was killed may arrive twice.
What was sent is removed; recordings stay. A recording that was not meant to be sent is sent when it
is named. Programs that run are left alone. A push that fails or is interrupted goes on the next time.

Endpoint, headers and timeout are those of live export: OTEL_EXPORTER_OTLP_ENDPOINT and so on, or
the file that AUTOTRACE_CONFIG names. An endpoint that cannot be reached is tried for 30 seconds.

Examples:
  autotracer push
  autotracer push --endpoint http://localhost:4318 --headers api-key=0123
  autotracer push 20261120-115610.669480-11216

Exit codes: 0 sent, or nothing to send; 1 something could not be sent and is kept; 2 no endpoint, or
options that are not understood; 3 sent, but the endpoint rejected some, or parts are damaged.)");
  command->callback([options, context] { context->exit_code = PushRuns(*options, *context); });
}

}  // namespace autotrace::cli
