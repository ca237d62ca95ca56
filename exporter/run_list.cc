// ListRuns and FindRun of run_reader.h.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
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

bool IsFile(const std::string& path) {
  struct stat facts;
  return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

// Names below `dir` that are those of runs and of their packs, oldest first; a run's folder after
// its pack.
absl::StatusOr<std::vector<std::string>> RunNames(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(dir.c_str()), closedir);
  if (directory == nullptr) {
    if (errno == ENOENT) return names;
    return ErrnoStatus(dir);
  }
  while (const dirent* entry = readdir(directory.get())) {
    // Runs are never links; one that somebody put there leads anywhere.
    if (IsRunName(RunNameOf(entry->d_name)) && !IsLink(dir + "/" + entry->d_name)) {
      names.emplace_back(entry->d_name);
    }
  }
  std::sort(names.begin(), names.end(), [](const std::string& left, const std::string& right) {
    return std::pair(RunNameOf(left), IsPackName(right)) <
           std::pair(RunNameOf(right), IsPackName(left));
  });
  return names;
}

// NotFound when none of these is a recorded process.
absl::Status DescribeProcesses(const RunFolder& folder, Run* run) {
  run->bytes = folder.bytes;
  for (const auto& [process, segments] : folder.segments) {
    absl::StatusOr<ProcessFiles> files = DescribeProcess(process, segments);
    if (files.ok()) run->processes.push_back(*std::move(files));
  }
  if (run->processes.empty()) {
    return absl::NotFoundError(run->path + " holds no recorded process");
  }
  std::stable_sort(run->processes.begin(), run->processes.end(),
                   [](const ProcessFiles& left, const ProcessFiles& right) {
                     return left.start_unix_nanos < right.start_unix_nanos;
                   });
  run->start_unix_nanos = run->processes.front().start_unix_nanos;
  return absl::OkStatus();
}

absl::StatusOr<Run> DescribeFolder(const std::string& path) {
  Run run;
  run.path = path;
  while (run.path.size() > 1 && run.path.back() == '/') run.path.pop_back();
  run.name = BaseName(run.path);
  absl::Status status = DescribeProcesses(ReadRunFolder(run.path), &run);
  if (!status.ok()) return status;
  return run;
}

absl::StatusOr<Run> DescribePack(const std::string& path) {
  absl::StatusOr<std::shared_ptr<const PackReader>> pack = PackReader::Open(path);
  if (!pack.ok()) return pack.status();
  Run run;
  run.path = path;
  run.pack = *std::move(pack);
  // Where the file was given another name, the run is called as it was.
  run.name = RunNameOf(BaseName(path));
  if (!IsRunName(run.name) && IsRunName(run.pack->run_name())) run.name = run.pack->run_name();
  absl::Status status = DescribeProcesses(ReadPackedFolder(run.pack), &run);
  if (status.ok()) return run;
  if (!run.pack->damage().empty())
    return absl::DataLossError(path + " is damaged: nothing is whole");
  return status;
}

absl::StatusOr<Run> Describe(const std::string& path) {
  return IsFolder(path) ? DescribeFolder(path) : DescribePack(path);
}

absl::StatusOr<Run> NewestRun(const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = RunNames(dir);
  if (!names.ok()) return names.status();
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    absl::StatusOr<Run> run = Describe(dir + "/" + *name);
    if (run.ok()) return run;
  }
  return absl::NotFoundError("no recorded run in " + dir + ": " + kHowToRecord);
}

// Where a link that somebody names leads to.
std::string Resolved(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), free);
  return resolved == nullptr ? path : resolved.get();
}

// In the folder of this path, or else in the pack that is called so, with or without its suffix.
// Nothing when there is neither.
std::optional<absl::StatusOr<Run>> RunAt(const std::string& path, bool follow_links) {
  std::optional<absl::StatusOr<Run>> found;
  if (IsFolder(path) && (follow_links || !IsLink(path))) {
    found = DescribeFolder(path);
    if (found->ok()) return found;
  }
  for (const std::string& pack : {path, path + kPackSuffix}) {
    if (!IsFile(pack) || (!follow_links && IsLink(pack))) continue;
    absl::StatusOr<Run> run = DescribePack(IsLink(pack) ? Resolved(pack) : pack);
    const bool is_run = run.ok();
    if (is_run || !found.has_value()) found = std::move(run);
    if (is_run) break;
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<Run>> ListRuns(const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = RunNames(dir);
  if (!names.ok()) return names.status();
  std::vector<Run> runs;
  for (const std::string& name : *names) {
    absl::StatusOr<Run> run = Describe(dir + "/" + name);
    if (!run.ok()) continue;
    if (!runs.empty() && runs.back().name == run->name) runs.pop_back();  // its pack
    runs.push_back(*std::move(run));
  }
  return runs;
}

absl::StatusOr<Run> FindRun(const std::string& dir, const std::string& name_or_path) {
  if (name_or_path.empty()) return NewestRun(dir);
  const bool is_path = name_or_path.find('/') != std::string::npos;
  std::optional<absl::StatusOr<Run>> found;
  if (!is_path) found = RunAt(dir + "/" + name_or_path, /*follow_links=*/false);
  if (!found.has_value()) found = RunAt(name_or_path, /*follow_links=*/true);
  if (found.has_value()) return *std::move(found);
  return absl::NotFoundError("no run " + name_or_path + (is_path ? "" : " in " + dir) +
                             " (autotracer list shows what there is); " + kHowToRecord);
}

}  // namespace autotrace::exporter
