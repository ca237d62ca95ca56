// ListRuns and FindRun of run_reader.h.
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "exporter/file_access.h"
#include "exporter/run_files.h"
#include "exporter/run_reader.h"

namespace autotrace::exporter {
namespace {

constexpr char kHowToRecord[] =
    "record one with AUTOTRACE_MODULES=<module> <program>, or autotracer run -- <program>";

bool IsFolder(const std::string& path) {
  struct stat facts;
  return stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool IsLink(const std::string& path) {
  struct stat facts;
  return lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode);
}

// Names below `dir` that are those of runs, oldest first.
absl::StatusOr<std::vector<std::string>> RunNames(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(dir.c_str()), closedir);
  if (directory == nullptr) {
    if (errno == ENOENT) return names;
    return ErrnoStatus(dir);
  }
  while (const dirent* entry = readdir(directory.get())) {
    // Runs are never links; one that somebody put there leads anywhere.
    if (IsRunName(entry->d_name) && !IsLink(dir + "/" + entry->d_name)) {
      names.emplace_back(entry->d_name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// NotFound when the folder holds no process.
absl::StatusOr<Run> DescribeRun(const std::string& path) {
  Run run;
  run.path = path;
  while (run.path.size() > 1 && run.path.back() == '/') run.path.pop_back();
  run.name = BaseName(run.path);
  const RunFolder folder = ReadRunFolder(run.path);
  run.bytes = folder.bytes;
  for (const auto& [process, segments] : folder.segments) {
    absl::StatusOr<ProcessFiles> files = DescribeProcess(process, segments);
    if (files.ok()) run.processes.push_back(*std::move(files));
  }
  if (run.processes.empty()) return absl::NotFoundError(path + " holds no recorded process");
  std::stable_sort(run.processes.begin(), run.processes.end(),
                   [](const ProcessFiles& left, const ProcessFiles& right) {
                     return left.start_unix_nanos < right.start_unix_nanos;
                   });
  run.start_unix_nanos = run.processes.front().start_unix_nanos;
  return run;
}

absl::StatusOr<Run> NewestRun(const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = RunNames(dir);
  if (!names.ok()) return names.status();
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    absl::StatusOr<Run> run = DescribeRun(dir + "/" + *name);
    if (run.ok()) return run;
  }
  return absl::NotFoundError("no recorded run in " + dir + ": " + kHowToRecord);
}

}  // namespace

absl::StatusOr<std::vector<Run>> ListRuns(const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = RunNames(dir);
  if (!names.ok()) return names.status();
  std::vector<Run> runs;
  for (const std::string& name : *names) {
    absl::StatusOr<Run> run = DescribeRun(dir + "/" + name);
    if (run.ok()) runs.push_back(*std::move(run));
  }
  return runs;
}

absl::StatusOr<Run> FindRun(const std::string& dir, const std::string& name_or_path) {
  if (name_or_path.empty()) return NewestRun(dir);
  const std::string below = dir + "/" + name_or_path;
  const bool is_path = name_or_path.find('/') != std::string::npos;
  if (!is_path && IsFolder(below) && !IsLink(below)) return DescribeRun(below);
  if (IsFolder(name_or_path)) return DescribeRun(name_or_path);
  return absl::NotFoundError("no run " + name_or_path + (is_path ? "" : " in " + dir) +
                             " (autotracer list shows what there is); " + kHowToRecord);
}

}  // namespace autotrace::exporter
