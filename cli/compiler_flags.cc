#include "cli/compiler_flags.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/status/status.h"
#include "cli/compiler_plugin.h"
#include "cli/strings.h"
#include "cli/subprocess.h"

namespace autotrace::cli {
namespace {

// The command's words. A path with spaces that exists is one word.
std::vector<std::string> WordsOf(const std::string& compiler) {
  if (access(compiler.c_str(), X_OK) == 0) return {compiler};
  const std::vector<std::string_view> words = Split(compiler, " \t");
  return {words.begin(), words.end()};
}

absl::StatusOr<SubprocessResult> Ask(std::vector<std::string> command,
                                     const std::vector<std::string>& arguments) {
  command.insert(command.end(), arguments.begin(), arguments.end());
  // In the C locale, because the answer is read by us.
  return RunSubprocess(command, {{"LC_ALL", "C"}});
}

std::string WithSlash(std::string path) {
  if (!path.ends_with("/")) path += "/";
  return path;
}

// In single quotes where a shell would see more than letters in it.
std::string QuoteForShell(const std::string& flag) {
  const bool is_plain = std::all_of(flag.begin(), flag.end(), [](char c) {
    return isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-_=+,./:@%").find(c) != std::string_view::npos;
  });
  if (is_plain && !flag.empty()) return flag;
  return Concat("'", ReplaceAll(flag, "'", "'\\''"), "'");
}

absl::Status NoCompiler(const std::string& compiler) {
  return absl::InvalidArgumentError(
      Concat(compiler, " is neither GCC nor Clang by what --version and -E -x c++ -v print; only ",
             "these two can compile programs with hooks"));
}

// The flags that load the plugin, if the compiler takes them: it may be of another release than the
// plugin. Empty, with the reason, when it does not, or there is none.
std::vector<std::string> WorkingPlugin(const std::vector<std::string>& command, CompilerKind kind,
                                       const HookRequest& request, std::string* why_not) {
  const auto version = Ask(command, {"-dumpversion"});
  const std::string folder = PluginFolder(kind, version.ok() ? version->output : "");
  const std::string plugin = FindPlugin(folder);
  if (plugin.empty()) {
    *why_not = Concat("no compiler plugin for ", folder, " is installed");
    return {};
  }
  std::vector<std::string> flags = PluginFlags(kind, plugin, request);
  std::vector<std::string> trial = flags;
  for (const char* word : {"-finstrument-functions", "-x", "c", "-S", "/dev/null", "-o", "-"}) {
    trial.emplace_back(word);
  }
  const auto tried = Ask(command, trial);
  if (tried.ok() && tried->status == 0) return flags;
  *why_not = Concat(plugin, " does not work with this compiler");
  if (tried.ok() && !Strip(tried->output).empty()) {
    *why_not += Concat(": ", Split(Strip(tried->output), "\n").front());
  }
  return {};
}

}  // namespace

CompilerKind CompilerKindOf(std::string_view version_text) {
  // Clang first: it may mention GCC installations, GCC never mentions Clang.
  if (Contains(version_text, "clang")) return CompilerKind::kClang;
  if (Contains(version_text, "Free Software Foundation")) return CompilerKind::kGcc;
  return CompilerKind::kUnknown;
}

std::vector<std::string> IncludeFolders(std::string_view verbose_text) {
  std::vector<std::string> folders;
  bool is_inside = false;
  for (std::string_view line : Split(verbose_text, "\n")) {
    if (line.starts_with("#include <...> search starts here")) {
      is_inside = true;
    } else if (line.starts_with("End of search list")) {
      break;
    } else if (is_inside && line.starts_with(" ")) {
      folders.emplace_back(Strip(line));
    }
  }
  return folders;
}

std::vector<std::string> StandardLibraryFolders(const std::vector<std::string>& folders) {
  std::vector<std::string> excluded;
  for (const std::string& folder : folders) {
    const std::string searched = WithSlash(folder);
    if (!Contains(searched, "/c++/") && !Contains(searched, "/gcc/")) continue;
    std::error_code error;
    const std::string absolute =
        std::filesystem::absolute(folder, error).lexically_normal().string();
    const std::string canonical = std::filesystem::weakly_canonical(folder, error).string();
    for (const std::string& spelling : {WithSlash(absolute), WithSlash(canonical)}) {
      const bool is_covered =
          std::any_of(excluded.begin(), excluded.end(),
                      [&](const std::string& known) { return spelling.starts_with(known); });
      if (!is_covered) excluded.push_back(spelling);
    }
  }
  return excluded;
}

absl::StatusOr<HookFlags> CompileFlags(const std::string& compiler, const HookRequest& request) {
  const std::vector<std::string> command = WordsOf(compiler);
  if (command.empty()) return absl::InvalidArgumentError("no compiler given");
  const auto version = Ask(command, {"--version"});
  if (!version.ok()) {
    return absl::NotFoundError(Concat("cannot start the compiler: ", version.status().message(),
                                      "; give its path with --compiler"));
  }
  const CompilerKind kind = CompilerKindOf(version->output);
  if (kind == CompilerKind::kUnknown) return NoCompiler(compiler);

  HookFlags result;
  const std::vector<std::string> plugin =
      request.use_plugin ? WorkingPlugin(command, kind, request, &result.why_no_plugin)
                         : std::vector<std::string>();
  if (kind == CompilerKind::kClang) {
    result.flags = {
        "-g", plugin.empty() ? "-finstrument-functions-after-inlining" : "-finstrument-functions"};
  } else {
    // A compiler installed without C++ is asked as a C compiler.
    std::vector<std::string> folders;
    for (const char* language : {"c++", "c"}) {
      const auto search =
          Ask(command, {"-E", "-x", language, "/dev/null", "-v", "-o", "/dev/null"});
      if (search.ok() && search->status == 0) folders = IncludeFolders(search->output);
      if (!folders.empty()) break;
    }
    if (folders.empty()) return NoCompiler(compiler);
    result.flags = {"-g", "-finstrument-functions"};
    const std::vector<std::string> excluded = StandardLibraryFolders(folders);
    if (!excluded.empty()) {
      result.flags.push_back(
          Concat("-finstrument-functions-exclude-file-list=", Join(excluded, ",")));
    }
  }
  result.flags.insert(result.flags.end(), plugin.begin(), plugin.end());
  return result;
}

std::vector<std::string> LinkFlags() {
  return {"-Wl,--push-state,--no-as-needed", "-lautotrace-cpp", "-Wl,--pop-state"};
}

std::string FormatFlags(const std::vector<std::string>& flags, FlagFormat format) {
  std::vector<std::string> words;
  for (const std::string& flag : flags) {
    switch (format) {
      case FlagFormat::kShell:
        words.push_back(QuoteForShell(flag));
        break;
      case FlagFormat::kMake:
        words.push_back(ReplaceAll(ReplaceAll(QuoteForShell(flag), "$", "$$"), "#", "\\#"));
        break;
      case FlagFormat::kCmake:
        words.push_back(ReplaceAll(ReplaceAll(flag, "\\", "\\\\"), ";", "\\;"));
        break;
    }
  }
  return Join(words, format == FlagFormat::kCmake ? ";" : " ");
}

}  // namespace autotrace::cli
