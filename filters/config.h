// What the user asked for, complete and checked: only LoadConfig makes one from the environment and
// a file, so code that holds a Config never asks whether a value is set or valid.
#ifndef AUTOTRACE_FILTERS_CONFIG_H_
#define AUTOTRACE_FILTERS_CONFIG_H_

#include <stdint.h>

#include <string>
#include <utility>
#include <vector>

namespace autotrace::filters {

enum class Unwinder { kOwn, kLibunwind };
enum class DurationMode : uint8_t {
  kSpan,      // every call on its own time
  kFunction,  // a function is recorded from its first call over the threshold on
};
enum class Tristate : uint8_t { kAuto, kOff, kOn };
enum class OtlpProtocol : uint8_t { kHttpProtobuf, kHttpJson };
enum class OtlpCompression : uint8_t { kNone, kGzip };
enum class PipelineIdOn : uint8_t { kRoot, kLocalRoot };

using PatternValue = std::pair<std::string, std::string>;
using PatternDuration = std::pair<std::string, uint64_t>;
using Strings = std::vector<std::string>;
using KeyValue = std::pair<std::string, std::string>;

struct Config {
  // ---- on or off
  bool active = false;        // tracing was asked for, by any of the ways in design section 1
  bool enabled = true;        // enabled: false switches everything off
  bool start_paused = false;  // AUTOTRACE_START=paused
  bool thread = true;         // AUTOTRACE_THREAD; false: no thread in the host, ring only
  bool patch = true;          // AUTOTRACE_PATCH=auto|off
  Tristate summary = Tristate::kAuto;  // kAuto: when stderr is a terminal

  // ---- which functions
  Strings modules;
  Strings exclude;
  Strings exclude_subtree;
  Strings roots;
  bool compiler_made = false;
  uint64_t min_duration = 0;  // nanoseconds
  std::vector<PatternDuration> min_duration_for;
  DurationMode min_duration_mode = DurationMode::kSpan;
  // Calls after which a function that was always short falls quiet; 0: never. See quiet_calls().
  uint32_t quiet_after = kQuietByMode;
  uint32_t max_depth = 0;  // 0: no limit; 1: only roots

  // ---- what a span carries
  std::string pipeline_id;
  std::string pipeline_id_key = "autotrace.pipeline_id";
  PipelineIdOn pipeline_id_on = PipelineIdOn::kRoot;
  std::vector<PatternValue> pipelines;
  bool callers = true;
  bool root_stacktrace = false;
  bool exception_stacktrace = true;
  Unwinder unwinder = Unwinder::kOwn;
  bool keep_errors = true;
  bool thread_parents = true;
  bool process_args = false;

  // ---- where it goes
  std::string dir;                        // AUTOTRACE_DIR, absolute
  Tristate record = Tristate::kAuto;      // kAuto: unless an OTLP endpoint is set
  bool spool = true;                      // see spools()
  uint64_t max_disk = uint64_t{1} << 30;  // bytes a run
  uint32_t keep_runs = 10;
  uint64_t ring_size = uint64_t{32} << 20;  // bytes
  std::string otlp_endpoint;           // full URL for traces, "/v1/traces" included; empty: none
  std::vector<KeyValue> otlp_headers;  // secret
  OtlpProtocol otlp_protocol = OtlpProtocol::kHttpProtobuf;
  OtlpCompression otlp_compression = OtlpCompression::kNone;
  // PEM files; empty: the system's authorities, no certificate of ours.
  std::string otlp_certificate;
  std::string otlp_client_certificate;
  std::string otlp_client_key;
  uint64_t otlp_timeout = 10'000'000'000;  // nanoseconds, one request and the wait at exit
  std::string service_name;                // empty: the executable's base name, see exporter
  std::vector<KeyValue> resource_attributes;

  static constexpr uint32_t kQuietByMode = UINT32_MAX;
  static constexpr uint32_t kMostQuietCalls = 1'000'000'000;
  // As `quiet_after` says, or, as it is not set, min_duration_mode.
  uint32_t quiet_calls() const {
    constexpr uint32_t kOfFunctions = 10'000;
    if (quiet_after != kQuietByMode) return quiet_after;
    return min_duration_mode == DurationMode::kFunction ? kOfFunctions : 0;
  }
  bool live_export() const { return !otlp_endpoint.empty(); }
  // What is sent is kept on disk until it was.
  bool spools() const { return live_export() && spool; }
  bool recorded() const {
    return record == Tristate::kOn || (record == Tristate::kAuto && !live_export());
  }
};

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_CONFIG_H_
