// autotracer functions: what a set of patterns selects in a binary, and why not the rest.
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/function_selection.h"
#include "cli/messages.h"
#include "cli/module_options.h"
#include "cli/program_inspection.h"
#include "cli/strings.h"
#include "cli/text_format.h"
#include "filters/config_loader.h"

namespace autotrace::cli {
namespace {

struct Options {
  std::string binary;
  ModuleOptions patterns;
  bool all = false;
};

// Equal names (overloads) on one line.
void PrintNames(const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size();) {
    size_t next = i + 1;
    while (next < names.size() && names[next] == names[i]) ++next;
    const std::string repeat = next - i > 1 ? Concat(" ×", next - i) : "";
    printf("  %s%s\n", Printable(names[i]).c_str(), repeat.c_str());
    i = next;
  }
}

void PrintSelection(const FunctionSelection& selection, bool all) {
  std::vector<std::string> selected;
  std::map<std::string, std::vector<std::string>> rest;
  for (const SelectedFunction& function : selection.functions) {
    if (function.verdict == filters::Verdict::kRecord) {
      selected.push_back(function.name);
    } else {
      rest[function.description].push_back(function.name);
    }
  }
  printf("selected: %s of %s\n", HumanCount(selected.size()).c_str(),
         Counted(selection.functions.size(), "function").c_str());
  PrintNames(selected);
  for (const auto& [description, names] : rest) {
    printf("%s: %s\n", Printable(description).c_str(), HumanCount(names.size()).c_str());
    if (all) PrintNames(names);
  }
}

filters::LoadResult LoadPatterns(const Options& options) {
  Settings settings = SettingsOf(options.patterns);
  filters::LoadResult loaded = filters::LoadConfig(OverEnvironment(settings));
  if (!loaded.error.empty() || !loaded.config.modules.empty()) return loaded;
  const std::string pattern = PatternOfBinary(options.binary);
  PrintMessage(Concat("no --modules: all of the binary's own functions (--modules ", pattern, ")"));
  settings["AUTOTRACE_MODULES"] = pattern;
  return filters::LoadConfig(OverEnvironment(settings));
}

int ShowFunctions(Options options) {
  if (options.binary.find('/') == std::string::npos) {
    const std::string program = FindProgram(options.binary);
    if (!program.empty()) options.binary = program;
  }
  const filters::LoadResult loaded = LoadPatterns(options);
  if (!loaded.error.empty()) {
    PrintMessage(loaded.error);
    return kExitFailed;
  }
  const auto selection = SelectFunctions(options.binary, loaded.config);
  if (!selection.ok()) {
    PrintError(selection.status());
    return kExitFailed;
  }
  PrintSelection(*selection, options.all);
  for (const auto& [pattern, dropped] : selection->unmatched_patterns) {
    const std::string left_out = dropped.Describe();
    PrintWarning(Concat("matched no function here: ", pattern,
                        left_out.empty() ? "" : "; the compiler plugin left out ", left_out));
  }
  if (!selection->has_debug_info) {
    PrintWarning(Concat(options.binary,
                        " has no debug information: source patterns match nothing, and "
                        "compiler-made members are not told apart"));
  }
  if (!selection->has_hooks) {
    PrintMessage(Concat(options.binary,
                        " does not call the hooks: none of its functions can be recorded; ",
                        selection->was_compiled_with_plugin
                            ? "the compiler plugin left all of them out: give it wider patterns"
                            : "compile it with what `autotracer flags --compiler CXX` prints"));
    return kExitFailed;
  }
  for (const SelectedFunction& function : selection->functions) {
    if (function.verdict == filters::Verdict::kRecord) return kExitOk;
  }
  return kExitFailed;
}

}  // namespace

void AddFunctionsCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command =
      app->add_subcommand("functions", "List what patterns select in a program or library");
  const auto options = std::make_shared<Options>();
  command->add_option("BINARY", options->binary, "program or library")->type_name("")->required();
  AddModuleOptions(command, "AUTOTRACE_MODULES, else everything in BINARY", &options->patterns);
  command->add_flag("--all", options->all, "name the functions that are not selected, too");
  command->footer(
      R"(Takes the functions from the symbol table and decides on each as the runtime would. Whether one
of them was compiled with hooks is not looked at, only whether the binary calls them at all, and
which of them a compiler plugin says it left out; those are named even where they were inlined.

Examples:
  autotracer functions ./my_service --modules pipeline --exclude pipeline::log
  autotracer functions ./libstorage.so --config trace.yaml --all

Exit codes: 0 something is selected, 1 nothing is, or the binary has no hooks or cannot be read.)");
  command->callback([options, context] { context->exit_code = ShowFunctions(*options); });
}

}  // namespace autotrace::cli
