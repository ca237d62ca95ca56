// The one table of settings: what each is called in the file and in the environment, how it is read
// and written, and what it means. Reading, messages, `check-config` and the check of
// docs/configuration.md all go through it.
#ifndef AUTOTRACE_FILTERS_CONFIG_KEYS_H_
#define AUTOTRACE_FILTERS_CONFIG_KEYS_H_

#include <stddef.h>

#include <string>
#include <string_view>
#include <vector>

#include "filters/config.h"
#include "filters/config_values.h"
#include "filters/yaml_reader.h"

namespace autotrace::filters {

struct ConfigKey {
  using Read = bool (*)(const YamlValue& value, Config* config, ValueError* error);
  using Write = std::string (*)(const Config& config);

  std::string_view name;    // in the file; "otlp.timeout" is timeout inside of otlp
  const char* environment;  // AUTOTRACE_...; null: none
  std::vector<const char*> otel_environment;  // weakest first
  std::string_view meaning;                   // one line
  Read read;
  Write write;  // YAML on one line
  bool secret = false;
  // The default where it is no fixed value; empty: what `write` gives for Config().
  std::string_view default_text = {};
};

// In documentation order, and in the order in which they are applied.
const std::vector<ConfigKey>& ConfigKeys();

// Index into ConfigKeys(), or its size.
size_t FindConfigKey(std::string_view name);
// Is it the name of a map of settings ("otlp")?
bool IsConfigGroup(std::string_view name);

// The setting whose name in the file (with or without its group) or in the environment is nearest
// to this unknown one; empty when none is near.
std::string_view NearestConfigKey(std::string_view name);

// All AUTOTRACE_ variables that mean something, AUTOTRACE_CONFIG and the like included.
const std::vector<std::string_view>& KnownVariables();

inline constexpr const char* kConfigVariable = "AUTOTRACE_CONFIG";
// A launch's own, not for people.
inline constexpr const char* kRunVariable = "AUTOTRACE_RUN";
inline constexpr const char* kRunMadeVariable = "AUTOTRACE_RUN_MADE";
inline constexpr const char* kModulesVariable = "AUTOTRACE_MODULES";
inline constexpr const char* kEnabledVariable = "AUTOTRACE_ENABLED";
inline constexpr const char* kSdkDisabledVariable = "OTEL_SDK_DISABLED";

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_CONFIG_KEYS_H_
