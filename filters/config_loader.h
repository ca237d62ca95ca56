// The one place that knows the environment and the configuration file.
//
// Order of strength: code, AUTOTRACE_*, OTEL_*, the file that AUTOTRACE_CONFIG names, defaults.
// Every key stands in one table (config_keys.cc) that drives reading, messages, `check-config` and
// the check of docs/configuration.md.
//
// Everything here allocates: it is for start-up and for readers, not for traced threads. Nothing
// throws.
#ifndef AUTOTRACE_FILTERS_CONFIG_LOADER_H_
#define AUTOTRACE_FILTERS_CONFIG_LOADER_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "filters/config.h"
#include "filters/environment.h"
#include "filters/quantities.h"

namespace autotrace::filters {

enum class Source : uint8_t { kDefault, kFile, kOtelEnvironment, kEnvironment, kCode };

struct EffectiveValue {
  std::string key;    // as in the file: "min_duration", "otlp.endpoint"
  std::string value;  // as one would write it in the file; "****" for a secret
  Source source = Source::kDefault;
  // "AUTOTRACE_MIN_DURATION", "trace.yaml:3"; several for resource_attributes, which are added up;
  // empty for a default.
  std::string origin;
};

struct LoadResult {
  // Empty when all is well; else one line, ready to print after "autotrace: ", for example
  // trace.yaml:3:15: min_duration: found "0.5", expected a duration with a unit: write 0.5s or
  // 500ms
  std::string error;
  std::vector<std::string> warnings;  // one line each
  // With an error: all defaults but `active` and `enabled`, which tell whether anything was asked
  // for. When nothing was, neither error nor warnings are to be printed: one instrumented build is
  // to be silent everywhere.
  Config config;
  std::vector<EffectiveValue> effective;  // all keys, in documentation order; empty with an error
};

// Reads the environment and the file it names, if any. Does not print.
LoadResult LoadConfig(const Environment& environment = {});

// Only a file (for check-config: with the environment on top), whatever AUTOTRACE_CONFIG says.
LoadResult LoadConfigFile(const std::string& path, const Environment& environment = {});

// From text; `name` stands for the file in messages. Knows no environment. For readers of a run's
// kConfigYaml and for tests.
LoadResult ParseConfig(std::string_view yaml, const std::string& name);

// The configuration as YAML that ParseConfig reads back, for the run's folder: without secrets
// (headers, a password in the endpoint) unless `with_secrets`.
std::string ToYaml(const Config& config, bool with_secrets);

// What check-config prints: one line per key with where it comes from, secrets masked.
//   min_duration: 1ms        # trace.yaml:3
std::string FormatEffective(const LoadResult& result);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_CONFIG_LOADER_H_
