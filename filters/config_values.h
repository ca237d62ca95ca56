// From a value in YAML or in an environment variable to a field of Config, and back: one reader and
// one writer per kind of value. The table of keys (config_keys.cc) names them.
#ifndef AUTOTRACE_FILTERS_CONFIG_VALUES_H_
#define AUTOTRACE_FILTERS_CONFIG_VALUES_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "filters/config.h"
#include "filters/yaml_reader.h"

namespace autotrace::filters {

struct ValueError {
  Position position;
  std::string text;  // "found X, expected Y"
};

// Each reader returns false and fills *error when the value will not do; *result is then unchanged.
bool ReadBool(const YamlValue& value, bool* result, ValueError* error);
bool ReadTristate(const YamlValue& value, Tristate* result, ValueError* error);
// May be the empty text: "".
bool ReadText(const YamlValue& value, std::string* result, ValueError* error);
bool ReadPath(const YamlValue& value, std::string* result, ValueError* error);
// "": none.
bool ReadFilePath(const YamlValue& value, std::string* result, ValueError* error);
bool ReadWholeNumber(const YamlValue& value, uint64_t minimum, uint64_t maximum, uint64_t* result,
                     ValueError* error);
bool ReadNumberOrAuto(const YamlValue& value, uint64_t maximum, bool* is_auto, uint64_t* result,
                      ValueError* error);
bool ReadDuration(const YamlValue& value, uint64_t* result, ValueError* error);
// A duration in a file, milliseconds in OpenTelemetry's variables.
bool ReadTimeout(const YamlValue& value, uint64_t* result, ValueError* error);
bool ReadSize(const YamlValue& value, uint64_t minimum, uint64_t* result, ValueError* error);
// Index of the choice.
bool ReadChoice(const YamlValue& value, const std::vector<std::string_view>& choices, size_t* index,
                ValueError* error);
bool ReadPatterns(const YamlValue& value, Strings* result, ValueError* error);
bool ReadPatternDurations(const YamlValue& value, std::vector<PatternDuration>* result,
                          ValueError* error);
bool ReadPatternValues(const YamlValue& value, std::vector<PatternValue>* result,
                       ValueError* error);
// Adds to *result; a key that is there already gets the new value.
bool ReadAttributes(const YamlValue& value, std::vector<KeyValue>* result, ValueError* error);
// Replaces *result. Never shows a value.
bool ReadHeaders(const YamlValue& value, std::vector<KeyValue>* result, ValueError* error);

// YAML on one line.
std::string WriteText(std::string_view text);
std::string WriteBool(bool value);
std::string WriteTristate(Tristate value);
std::string WritePatterns(const Strings& patterns);
std::string WritePatternDurations(const std::vector<PatternDuration>& entries);
std::string WriteMap(const std::vector<KeyValue>& entries);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_CONFIG_VALUES_H_
