// Finds recorded runs and reads their spans: while they are written, after they ended, or after
// their programs died; in folders, or packed into a file each (pack_reader.h). What one process
// left (its segments and, if it was killed or still runs, its ring) is read as one; records that
// stand in both are read once.
#ifndef AUTOTRACE_EXPORTER_RUN_READER_H_
#define AUTOTRACE_EXPORTER_RUN_READER_H_

#include <stdint.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exporter/span.h"
#include "runtime/sent_file.h"

namespace autotrace::exporter {

class PackReader;

enum class ProcessState { kRunning, kEnded, kDied };

// What a process's ".sent" file says: how much of it an OTLP endpoint has.
struct SentFacts {
  bool is_spool = false;  // the segments are there for nothing else
  SentState state;
};

struct ProcessFiles {
  uint64_t pid = 0;
  uint64_t process_key = 0;
  ProcessState state = ProcessState::kEnded;
  std::string executable;
  uint64_t start_unix_nanos = 0;
  std::vector<std::string> segments;  // paths, in order; in a pack "<pack>/<name>"
  std::string ring_path;              // empty when there is none (any more)
  uint64_t bytes = 0;
  std::optional<SentFacts> sent;           // none: it was not meant to be sent
  std::shared_ptr<const PackReader> pack;  // that its files are in; null: they are in a folder

  // "<folder or pack>/<pid>-<process key>", with which its files' names begin.
  std::string stem() const;
  // Was it to be sent, and was not?
  bool has_unsent() const { return sent.has_value() && !sent->state.all; }
};

struct Run {
  std::string name;  // of the folder below AUTOTRACE_DIR, also when it is packed
  std::string path;  // of the folder or the pack
  std::shared_ptr<const PackReader> pack;  // null: a folder
  std::vector<ProcessFiles> processes;     // by start time
  uint64_t start_unix_nanos = 0;
  uint64_t bytes = 0;  // on disk
};

// Runs below `dir`, oldest first. What is no run is passed over, and the pack of a run whose folder
// is there as well.
absl::StatusOr<std::vector<Run>> ListRuns(const std::string& dir);
// `name_or_path`: a run's name below `dir`, the path of its folder or its pack, or empty for the
// newest. Of a run that is there as both, the folder is found by its name.
// NotFound says where was looked and how to record one.
absl::StatusOr<Run> FindRun(const std::string& dir, const std::string& name_or_path);

struct ReadOptions {
  // Called now and then with bytes read and bytes in all.
  std::function<void(uint64_t done, uint64_t total)> progress;
  bool source_locations = true;  // resolve files and lines (needs debug information, takes time)
};

struct ReadStatistics {
  uint64_t spans = 0;
  uint64_t unfinished = 0;
  std::map<std::string, uint64_t> dropped;  // by cause: "ring_full", ...
  std::map<std::string, uint64_t> quiet;    // calls of functions that fell quiet, by name
  std::vector<std::string> warnings;        // damaged or missing parts, each one line
};

// Reads every process of a run in order. The reader owns what spans point to and must outlive every
// use of them.
class RunReader {
 public:
  explicit RunReader(Run run, ReadOptions options = {});
  ~RunReader();

  // Hands every span to the sink and calls Finish. Damage gives a partial result and a warning in
  // statistics(), not an error; errors are the sink's.
  absl::Status Read(SpanSink& sink);
  const ReadStatistics& statistics() const;

  // After Read, of all processes: see SpanDecoder.
  void VisitFunctions(
      const std::function<void(const Function&, std::string_view linker_name)>& visit) const;
  uint64_t left_out_below() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_RUN_READER_H_
