// autotracer pack: a finished run in one small file.
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "cli/terminal.h"
#include "cli/text_format.h"
#include "exporter/run_packer.h"
#include "exporter/run_reader.h"

namespace autotrace::cli {
namespace {

struct Options {
  std::string run;
  std::string output;
  int level = exporter::kUsualPackLevel;
  bool keep = false;
  bool unsent = false;
};

// The run where it really is, so that the pack comes to lie beside it.
std::string WithoutLinks(const std::string& path) {
  std::error_code error;
  const auto canonical = std::filesystem::canonical(path, error);
  return error ? path : canonical.string();
}

absl::StatusOr<exporter::PackedRun> PackWithProgress(const Options& options,
                                                     const exporter::Run& run) {
  ProgressBar bar("packing");
  exporter::PackOptions pack;
  pack.output = options.output;
  pack.level = options.level;
  pack.keep_folder = options.keep;
  pack.progress = [&](uint64_t done, uint64_t total) { bar.Update(done, total); };
  return exporter::PackRun(run, pack);
}

int Pack(const Options& options, const CommandContext& context) {
  auto run = exporter::FindRun(RunsFolder(context.dir), options.run);
  if (!run.ok()) {
    PrintError(run.status());
    return kExitFailed;
  }
  const std::string name = Printable(run->name);
  if (run->pack != nullptr) {
    PrintMessage(Concat("run ", name, " is packed already: ", Printable(run->path)));
    return options.output.empty() ? kExitOk : kExitFailed;
  }
  if (const uint64_t spans = options.unsent || IsRunning(*run) ? 0 : UnsentOf(*run).spans;
      spans > 0) {
    PrintMessage(Concat("run ", name, ": ", Counted(spans, "span"),
                        " waits to be sent: autotracer push sends, autotracer pack --unsent packs "
                        "all the same"));
    return kExitFailed;
  }
  run->path = WithoutLinks(run->path);
  const auto packed = PackWithProgress(options, *run);
  if (!packed.ok()) {
    PrintError(packed.status());
    return kExitFailed;
  }
  printf("run %s: %s packed into %s, %s\n", name.c_str(), HumanBytes(packed->files_bytes).c_str(),
         HumanBytes(packed->bytes).c_str(), Printable(packed->path).c_str());
  return kExitOk;
}

}  // namespace

void AddPackCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("pack", "Pack a finished run into one small file");
  const auto options = std::make_shared<Options>();
  command->add_option("RUN", options->run, "run to pack; default: the newest")->type_name("");
  command
      ->add_option("--output,-o", options->output,
                   "file to write; default: beside the run's folder, with .atpack behind its name")
      ->type_name("FILE");
  command->add_option("--level", options->level, "1, fast, to 19, small")
      ->type_name("N")
      ->check(CLI::Range(exporter::kLeastPackLevel, exporter::kMostPackLevel))
      ->capture_default_str();
  command->add_flag("--keep", options->keep, "keep the run's folder");
  command->add_flag("--unsent", options->unsent, "also a run with spans that were not sent");
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(Every sub-command takes a packed run as it takes a folder: by its name, as the newest, or by the
path of its file, which may be anywhere. push makes its folder again, sends, and packs again.

The folder goes when the file is on disk and was unpacked and compared; until then nothing changes.
What killed programs left in shared memory is saved first. A run of a running program is not packed,
nor, without --unsent, one with spans that are to be sent.

The runtime, which keeps the newest 10 runs, neither counts nor removes packed ones; autotracer clean
does.

Examples:
  autotracer pack
  autotracer pack 20261120-115610.669480-11216 --level 19
  autotracer pack --keep -o slow_import.atpack && autotracer tree ./slow_import.atpack

Exit codes: 0 packed, also when it was; 1 no run, or it could not be packed and is as it was.)");
  command->callback([options, context] { context->exit_code = Pack(*options, *context); });
}

}  // namespace autotrace::cli
