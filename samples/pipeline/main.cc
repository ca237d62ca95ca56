// Puts the world's languages (ISO 639-3, as Debian's iso-codes package has them) into an SQLite
// file: extract, transform, load, summarise. A program to look at with autotrace; README.md shows
// its trace.
//
//   pipeline_sample [--languages FILE] [DATABASE]
//
// Exit status: 0 done, 1 the data or the database could not be used, 2 wrong arguments.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

#include "pipeline.h"

namespace {

constexpr char kUsage[] =
    "usage: pipeline_sample [--languages FILE] [DATABASE]\n"
    "  DATABASE          the SQLite file to write, default languages.sqlite\n"
    "  --languages FILE  default /usr/share/iso-codes/json/iso_639-3.json\n";

struct Options {
  std::string languages_path = "/usr/share/iso-codes/json/iso_639-3.json";
  std::string database_path = "languages.sqlite";
  bool help = false;
};

// False when the arguments make no sense.
bool ParseArguments(int argument_count, char** arguments, Options* options) {
  bool database_given = false;
  for (int index = 1; index < argument_count; ++index) {
    const std::string_view argument = arguments[index];
    if (argument == "--help" || argument == "-h") {
      options->help = true;
    } else if (argument == "--languages" && index + 1 < argument_count) {
      options->languages_path = arguments[++index];
    } else if (argument.empty() || argument.front() == '-' || database_given) {
      return false;
    } else {
      options->database_path = argument;
      database_given = true;
    }
  }
  return true;
}

void PrintCounts(const char* title, const std::vector<pipeline_app::LabelledCount>& counts) {
  std::printf("  %s:", title);
  const char* separator = " ";
  for (const auto& [label, count] : counts) {
    std::printf("%s%s %lld", separator, label.c_str(), static_cast<long long>(count));
    separator = ", ";
  }
  std::printf("\n");
}

void PrintResult(const pipeline_app::PipelineResult& result, const std::string& database_path) {
  const pipeline_app::Summary& summary = result.summary;
  std::printf("%lld languages in %s, %.1f%% of them living\n",
              static_cast<long long>(summary.languages), database_path.c_str(),
              100 * summary.living_share);
  PrintCounts("by type", summary.by_type);
  PrintCounts("by scope", summary.by_scope);
  std::printf("  longest name: %s\n", summary.longest_name.c_str());
  std::printf("  commonest word: %s (%lld)\n", summary.commonest_word.first.c_str(),
              static_cast<long long>(summary.commonest_word.second));
  for (const std::string& problem : result.problems) {
    std::printf("  left out: %s\n", problem.c_str());
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  Options options;
  if (!ParseArguments(argument_count, arguments, &options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (options.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  try {
    const pipeline_app::PipelineResult result =
        pipeline_app::run_data_processing_pipeline(options.languages_path, options.database_path);
    PrintResult(result, options.database_path);
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "pipeline_sample: %s\n", error.what());
    return 1;
  }
  return 0;
}
