// autotracer run: becomes a program, with the runtime preloaded and told what to record.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/module_options.h"
#include "cli/program_inspection.h"
#include "cli/runtime_library.h"
#include "cli/strings.h"
#include "filters/config_loader.h"

namespace autotrace::cli {
namespace {

struct Options {
  ModuleOptions patterns;
  std::string min_duration;
  std::string pipeline_id;
  bool summary = false;
  bool no_summary = false;
};

Settings EnvironmentFor(const Options& options, const std::string& dir) {
  Settings settings = SettingsOf(options.patterns);
  if (!options.min_duration.empty()) settings["AUTOTRACE_MIN_DURATION"] = options.min_duration;
  if (!options.pipeline_id.empty()) settings["AUTOTRACE_PIPELINE_ID"] = options.pipeline_id;
  if (!dir.empty()) {
    // The program may change its folder before the runtime reads this.
    std::error_code error;
    const auto path = std::filesystem::absolute(dir, error);
    settings["AUTOTRACE_DIR"] = error ? dir : path.string();
  }
  if (options.summary) settings["AUTOTRACE_SUMMARY"] = "1";
  if (options.no_summary) settings["AUTOTRACE_SUMMARY"] = "0";
  return settings;
}

// Where nothing says which functions are meant, the program's own are.
void ChooseOwnFunctions(const ProgramFacts& facts, Settings* settings) {
  const std::string pattern = PatternOfBinary(facts.binary);
  (*settings)["AUTOTRACE_MODULES"] = pattern;
  PrintMessage(
      Concat("no --modules: recording the program's own functions (--modules ", pattern, ")"));
}

void Preload(const ProgramFacts& facts) {
  if (facts.is_static || facts.links_runtime) return;
  const std::string library = FindRuntimeLibrary();
  if (Contains(library, " ") || Contains(library, ":")) {
    PrintWarning(
        Concat("cannot preload ", library, ": LD_PRELOAD takes no path with a space or a colon"));
    return;
  }
  const char* existing = getenv("LD_PRELOAD");
  setenv("LD_PRELOAD", PrependPreload(library, existing != nullptr ? existing : "").c_str(), 1);
}

int Execute(const std::vector<std::string>& program) {
  std::vector<char*> arguments;
  arguments.reserve(program.size() + 1);
  for (const std::string& argument : program) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  fflush(stdout);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  PrintMessage(Concat("cannot run ", program[0], ": ", strerror(error)));
  return error == ENOENT ? kExitNotFound : kExitCannotExecute;
}

int Run(const Options& options, const CommandContext& context) {
  Settings settings = EnvironmentFor(options, context.dir);
  const filters::LoadResult loaded = filters::LoadConfig(OverEnvironment(settings));
  if (!loaded.error.empty()) {
    // Better now than a program that runs for an hour without being recorded.
    PrintMessage(loaded.error);
    return kExitUsage;
  }
  const std::string path = FindProgram(context.program[0]);
  if (path.empty()) return Execute(context.program);  // says why not
  const ProgramFacts facts = InspectProgram(path);
  const std::vector<std::string> problems = ExplainMissingFunctions(facts);
  for (const std::string& line : problems) PrintMessage(line);
  if (loaded.config.modules.empty() && facts.is_elf) {
    if (problems.empty()) {
      ChooseOwnFunctions(facts, &settings);
    } else {
      settings["AUTOTRACE_MODULES"] = PatternOfBinary(facts.binary);
    }
  }
  for (const auto& [name, value] : settings) setenv(name.c_str(), value.c_str(), 1);
  Preload(facts);
  return Execute(context.program);
}

// Without "--" the first word that is no option of ours begins the program.
int RunParsed(CLI::App* command, const Options& options, CommandContext* context) {
  const std::vector<std::string> rest = command->remaining();
  if (!rest.empty()) {
    if (rest[0].starts_with("-") || !context->program.empty()) {
      PrintMessage(Concat("run: unexpected ", rest[0], " before --; see: autotracer run --help"));
      return kExitUsage;
    }
    context->program = rest;
  }
  if (context->program.empty()) {
    PrintMessage("run: which program? autotracer run [OPTIONS] -- PROGRAM [ARGUMENTS]");
    return kExitUsage;
  }
  return Run(options, *context);
}

}  // namespace

void AddRunCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand("run", "Run a program and record its calls");
  const auto options = std::make_shared<Options>();
  AddModuleOptions(command, "the program's own functions", &options->patterns);
  command
      ->add_option("--min-duration", options->min_duration,
                   "record only calls of at least this: 250ns, 10us, 1.5ms, 2s")
      ->type_name("D");
  command->add_option("--pipeline-id", options->pipeline_id, "id that each trace's root carries")
      ->type_name("ID");
  command->add_option("--dir", context->dir, "where to record to")->type_name("DIR");
  CLI::Option* summary = command->add_flag("--summary", options->summary,
                                           "print a summary at the end, also when stderr is no "
                                           "terminal");
  command->add_flag("--no-summary", options->no_summary, "never print a summary")
      ->excludes(summary);
  command->prefix_command();
  command->footer(
      R"(The program must have been compiled with hooks (autotracer flags, autotrace_instrument()); it need
not be linked to autotrace. It keeps its output, exit status, signals and terminal: this command
becomes the program. Patterns name namespaces, classes or functions (pipeline, app::Queue),
binaries (libstorage.so, lib:my_service), source files (src/db/*.cc), or everything (*).

Examples:
  autotracer run -- ./my_service --port 8080
  autotracer run --modules pipeline,libstorage.so --exclude pipeline::log -- ./my_service
  autotracer run --min-duration 100us --dir /tmp/traces -- ./my_service
  autotracer tree                                    what it recorded

Exit codes: the program's; 2 for options that are not understood, 126 when it cannot be executed,
127 when there is no such program.)");
  command->callback(
      [command, options, context] { context->exit_code = RunParsed(command, *options, context); });
}

}  // namespace autotrace::cli
