// autotracer profile: which functions were short, for the compiler plugins.
#include <cxxabi.h>
#include <stdio.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/output_file.h"
#include "cli/recorded_run.h"
#include "cli/strings.h"
#include "cli/text_format.h"
#include "exporter/run_reader.h"
#include "filters/profile.h"
#include "filters/quantities.h"

namespace autotrace::cli {
namespace {

// With so many calls recorded it does not matter that others were dropped.
constexpr uint64_t kEnoughCalls = 1000;

struct Options {
  std::vector<std::string> runs;
  std::string min_duration = "1us";
  double rare = 0.001;
  std::string output;
};

struct Calls {
  uint64_t recorded = 0;
  uint64_t at_length = 0;  // that took as long as the threshold, or failed
};

// The calls of each function of a run.
class CallCounts final : public exporter::SpanSink {
 public:
  explicit CallCounts(uint64_t threshold) : threshold_(threshold) {}

  absl::Status Consume(const exporter::Span& span) override {
    if (span.function == nullptr) return absl::OkStatus();
    Calls& calls = calls_[span.function];
    ++calls.recorded;
    if (span.error || span.duration_nanos() >= threshold_) ++calls.at_length;
    return absl::OkStatus();
  }
  Calls Of(const exporter::Function& function) const {
    const auto found = calls_.find(&function);
    return found == calls_.end() ? Calls() : found->second;
  }

 private:
  const uint64_t threshold_;
  std::unordered_map<const exporter::Function*, Calls> calls_;
};

// What runs say of functions, by linker name. Several functions may have one name.
class Judgement {
 public:
  Judgement(uint64_t threshold, double rare) : threshold_(threshold), rare_(rare) {}

  // False, with what was wrong said, when the run cannot tell which functions are short.
  bool AddRun(const exporter::Run& run, ExitCode* exit_code);

  std::set<std::string> ShortFunctions() const;
  size_t functions() const { return is_short_.size(); }

 private:
  bool CanTell(const exporter::Run& run, const std::string& dropped, uint64_t left_out_below) const;
  bool IsShort(const Calls& calls, bool some_left_out, bool some_dropped) const;

  const uint64_t threshold_;
  const double rare_;
  std::unordered_map<std::string, bool> is_short_;  // in all runs
};

bool Judgement::CanTell(const exporter::Run& run, const std::string& dropped,
                        uint64_t left_out_below) const {
  if (left_out_below == ~uint64_t{0}) {
    PrintMessage(Concat("run ", run.name,
                        ": max_depth left out calls that may have been long: record without it"));
    return false;
  }
  if (left_out_below > threshold_) {
    const std::string recorded = filters::FormatDuration(left_out_below);
    PrintMessage(Concat("run ", run.name, ": calls shorter than ", recorded,
                        " were left out when it was recorded: give --min-duration ", recorded,
                        " or more, or record again"));
    return false;
  }
  if (left_out_below > 0 && !dropped.empty()) {
    PrintMessage(Concat("run ", run.name, ": calls that may have been long were dropped: ", dropped,
                        ": record with a larger ring_size"));
    return false;
  }
  return true;
}

bool Judgement::IsShort(const Calls& calls, bool some_left_out, bool some_dropped) const {
  // Of calls that were left out nobody knows how many there were.
  if (some_left_out) return calls.at_length == 0;
  return calls.recorded >= (some_dropped ? kEnoughCalls : 1) &&
         static_cast<double>(calls.at_length) <= rare_ * static_cast<double>(calls.recorded);
}

bool Judgement::AddRun(const exporter::Run& run, ExitCode* exit_code) {
  struct Seen {
    std::string linker_name;
    Calls calls;
  };
  std::vector<Seen> seen;
  uint64_t left_out_below = 0;
  CallCounts counts(threshold_);
  const auto statistics = ReadRun(run, false, &counts, [&](const exporter::RunReader& reader) {
    left_out_below = reader.left_out_below();
    reader.VisitFunctions([&](const exporter::Function& function, std::string_view linker_name) {
      if (!linker_name.empty()) seen.push_back({std::string(linker_name), counts.Of(function)});
    });
  });
  if (!statistics.ok()) {
    PrintError(statistics.status());
    return false;
  }
  const std::string dropped = DescribeDropped(*statistics);
  if (!CanTell(run, dropped, left_out_below)) return false;
  for (const auto& [linker_name, calls] : seen) {
    is_short_.try_emplace(linker_name, true).first->second &=
        IsShort(calls, left_out_below > 0, !dropped.empty());
  }
  *exit_code = std::max(*exit_code, ExitCodeOf(*statistics));
  return true;
}

// "_ZN3app1AC1Ev" is the same function as "_ZN3app1AC2Ev": a constructor or destructor has one code
// under two names, of which the binary's symbol table may give the other one.
std::vector<std::string> OtherNames(const std::string& linker_name) {
  const auto demangle = [](const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&free)> text(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &free);
    return std::string(text == nullptr ? "" : text.get());
  };
  std::vector<std::string> names;
  if (!linker_name.starts_with("_Z")) return names;
  for (size_t at = 2; at + 1 < linker_name.size(); ++at) {
    const char kind = linker_name[at];
    const char variant = linker_name[at + 1];
    if ((kind != 'C' && kind != 'D') || (variant != '1' && variant != '2')) continue;
    std::string other = linker_name;
    other[at + 1] = variant == '1' ? '2' : '1';
    const std::string text = demangle(other);
    if (!text.empty() && text == demangle(linker_name)) names.push_back(std::move(other));
  }
  return names;
}

// What the optimizer made of a function: "_ZN3app3runEv.constprop.0".
std::string WithoutSuffix(const std::string& linker_name) {
  return linker_name.substr(0, linker_name.find('.'));
}

std::set<std::string> Judgement::ShortFunctions() const {
  std::set<std::string> short_names;
  std::unordered_set<std::string> long_names;
  for (const auto& [name, is_short] : is_short_) {
    std::vector<std::string> names = OtherNames(WithoutSuffix(name));
    names.push_back(WithoutSuffix(name));
    for (std::string& each : names) {
      if (is_short) {
        short_names.insert(std::move(each));
      } else {
        long_names.insert(std::move(each));
      }
    }
  }
  for (const std::string& name : long_names) short_names.erase(name);
  return short_names;
}

int WriteProfile(const Options& options, const CommandContext& context) {
  uint64_t threshold = 0;
  std::string error;
  if (!filters::ParseDuration(options.min_duration, &threshold, &error)) {
    PrintMessage(Concat("--min-duration: ", error));
    return kExitUsage;
  }
  Judgement judgement(threshold, options.rare);
  ExitCode exit_code = kExitOk;
  const std::vector<std::string> newest = {""};
  for (const std::string& name : options.runs.empty() ? newest : options.runs) {
    const auto run = exporter::FindRun(RunsFolder(context.dir), name);
    if (!run.ok()) {
      PrintError(run.status());
      return kExitFailed;
    }
    if (!judgement.AddRun(*run, &exit_code)) return kExitFailed;
  }
  const std::set<std::string> functions = judgement.ShortFunctions();
  auto output = OutputFile::Open(options.output);
  if (!output.ok()) {
    PrintError(output.status());
    return kExitFailed;
  }
  const std::string text = filters::WriteProfile(functions, filters::FormatDuration(threshold));
  fwrite(text.data(), 1, text.size(), output->file());  // Commit tells of errors
  if (absl::Status status = output->Commit(); !status.ok()) {
    PrintError(status);
    return kExitFailed;
  }
  PrintMessage(Concat(Counted(judgement.functions(), "function"),
                      " seen, short: ", HumanCount(functions.size())));
  return exit_code;
}

}  // namespace

void AddProfileCommand(CLI::App* app, CommandContext* context) {
  CLI::App* command = app->add_subcommand(
      "profile", "Write which functions were always short, to compile without their hooks");
  const auto options = std::make_shared<Options>();
  command->add_option("RUN", options->runs, "runs to learn from; default: the newest")
      ->type_name("");
  command->add_option("-o,--output", options->output, "file to write; - is stdout")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--min-duration", options->min_duration,
                   "a function is short if its calls are shorter than this")
      ->type_name("D")
      ->capture_default_str();
  command
      ->add_option("--rare", options->rare,
                   "and it may be longer in this share of its calls, as it is when it is "
                   "interrupted; needs runs without min_duration")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--dir", context->dir, "where runs lie")->type_name("DIR");
  command->footer(
      R"(Looks at the functions that were called and that `modules` selects. One that was never called keeps
its hooks, and so does one that failed or was long, but for rare calls.

Runs in which calls were dropped are good for functions of which 1,000 calls or more were recorded;
the others keep their hooks. Runs that were recorded with min_duration know nothing of how often a
function was called: one long call keeps its hooks.

Examples:
  autotracer run --modules my_app -- ./my_service --some-typical-work
  autotracer profile -o my_service.profile
  g++ $(autotracer flags --compiler g++ --modules my_app --profile my_service.profile) -c main.cc
  autotrace_instrument(my_service MODULES my_app PROFILE my_service.profile)     in CMake

Exit codes: 0 written, 1 no run, one that cannot tell, or not written, 3 written, but parts of a run
are damaged.)");
  command->callback([options, context] { context->exit_code = WriteProfile(*options, *context); });
}

}  // namespace autotrace::cli
