// What a compiler plugin was told on the command line, -fplugin-arg-autotrace-KEY[=VALUE]: the same
// keys for GCC and Clang.
//
//   modules=P,P          patterns as in AUTOTRACE_MODULES; several of these add up
//   leaves=inline        drop straight-line functions that are defined inline (the default)
//   leaves=all           also those that are defined out of line
//   leaves=none          drop none
//   compiler-made=drop   drop implicit and defaulted constructors, destructors and assignments (the
//                        default)
//   compiler-made=keep   keep them
//   profile=FILE         drop what the profile lists (filters/profile.h)
//   profile-version=V    the profile is this version, else it is an error: for compilers' caches
//   report               say on standard error what became of each function, and why
#ifndef AUTOTRACE_PLUGIN_SETTINGS_H_
#define AUTOTRACE_PLUGIN_SETTINGS_H_

#include <stdint.h>

#include <string>
#include <string_view>

#include "filters/config.h"
#include "filters/profile.h"

namespace autotrace::plugin {

enum class Leaves : uint8_t { kNone, kInline, kAll };

struct Settings {
  filters::Strings modules;  // none: everything
  Leaves leaves = Leaves::kInline;
  bool keep_compiler_made = false;
  filters::Profile profile;     // empty: none
  std::string profile_version;  // that it must have; empty: any
  bool report = false;
};

// Takes one argument into *settings. False when it is not understood; *error then says what was
// found and what was expected.
bool ReadArgument(std::string_view key, std::string_view value, Settings* settings,
                  std::string* error);

// After the last argument: do they go together? Likewise.
bool CheckArguments(const Settings& settings, std::string* error);

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_SETTINGS_H_
