// CLI11: command lines with sub-commands, callbacks, validators and configuration files; wrong ones
// are refused by exceptions that pass many of the library's frames.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Settings {
  int level = 0;
  double rate = 0;
  bool verbose = false;
  std::vector<std::string> files;
  std::map<std::string, int> seen;
  int callbacks = 0;
};

void Describe(CLI::App* app, Settings* settings) {
  app->add_option("-l,--level", settings->level)->check(CLI::Range(0, 9));
  app->add_option("-r,--rate", settings->rate)
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"k", 1000}, {"m", 1e6}}));
  app->add_flag("-v,--verbose", settings->verbose);
  app->set_config("--config");
  for (const char* name : {"add", "remove", "show"}) {
    CLI::App* command = app->add_subcommand(name, std::string("command ") + name);
    command->add_option("files", settings->files)->expected(0, 5);
    command->add_option_function<std::string>(
        "--mark", [settings](const std::string& mark) { ++settings->seen[mark]; });
    command->callback([settings] { ++settings->callbacks; });
  }
  app->require_subcommand(1);
}

std::string Parse(const std::string& line) {
  Settings settings;
  CLI::App app("A program with sub-commands", "oracle");
  Describe(&app, &settings);
  try {
    app.parse(line);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream errors;
    const int status = app.exit(error, out, errors);
    return error.get_name() + " " + std::to_string(status) + ", " +
           std::to_string(out.str().size() + errors.str().size()) + " bytes";
  }
  return "level " + std::to_string(settings.level) + " rate " + std::to_string(settings.rate) +
         " files " + std::to_string(settings.files.size()) + " marks " +
         std::to_string(settings.seen.size()) + " callbacks " + std::to_string(settings.callbacks) +
         " config " + std::to_string(app.config_to_str(true, true).size());
}

}  // namespace

int main(int, char** arguments) {
  const std::vector<std::string> lines = {"add a b c",
                                          "-l 12 add",
                                          "-l 3 -r 5k remove x --mark y",
                                          "--help",
                                          "--level=9 -v show",
                                          "show --mark a b c d",
                                          "--rate 2m add",
                                          "-l x add",
                                          "add remove",
                                          "unknown",
                                          "",
                                          "add a b c d e f g",
                                          "--config /nonexistent add",
                                          "-r 5q show",
                                          "-l",
                                          "show --help"};
  const int count = atoi(arguments[1]);
  for (int i = 0; i < count; ++i) {
    const std::string& line = lines[i % lines.size()];
    printf("%-32s %s\n", line.c_str(), Parse(line).c_str());
  }
}
