// Environment variables, and how lists and maps are written in one.
#ifndef AUTOTRACE_FILTERS_ENVIRONMENT_H_
#define AUTOTRACE_FILTERS_ENVIRONMENT_H_

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "filters/config.h"

namespace autotrace::filters {

// Where the loader looks variables up: the process's environment, or what a caller puts in its
// place (tests, `autotracer run`, which looks at the program's).
class Environment {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;
  using Lookup = std::function<const char*(const char* name)>;  // null when unset

  // The process's own. Reads it at each call.
  Environment();
  // These and no others.
  Environment(Variables variables);  // NOLINT(google-explicit-constructor)
  // What `lookup` answers. It cannot be enumerated, so misspelt variables go unnoticed.
  template <typename Function,
            typename = std::enable_if_t<std::is_invocable_r_v<const char*, Function, const char*>>>
  Environment(Function lookup)  // NOLINT(google-explicit-constructor)
      : lookup_(std::move(lookup)) {}

  // Null when unset, and, as OpenTelemetry wants it, when empty.
  const char* Get(const char* name) const;
  // All variables that begin with `prefix` and have a value, sorted.
  std::vector<std::string> NamesWith(std::string_view prefix) const;

 private:
  Lookup lookup_;
  std::function<std::vector<std::string>()> names_;
};

// "app,twice<int, long>" to {"app", "twice<int, long>"}: splits at commas outside of brackets, and
// leaves out what is empty.
Strings SplitPatterns(std::string_view text);

// "key=value,other=a%20value" in OpenTelemetry's form (W3C Baggage without properties). On failure
// false and *error says what was found (not for a `secret`) and what was expected.
bool ParseAttributeList(std::string_view text, bool secret, std::vector<KeyValue>* attributes,
                        std::string* error);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_ENVIRONMENT_H_
