// A profile: the functions whose calls were short in runs that were recorded. `autotracer
// profile` writes it, the compiler plugins (plugin/) leave the hooks out of what it lists.
//
//   # autotrace profile 1, version 8c736521a21b2f4e
//   # Functions whose calls were shorter than 1us.
//   _ZN3app6lengthERKSs
//   ...
//
// The version is made of what follows the first line, so that a command line that names it changes
// whenever the list does.
#ifndef AUTOTRACE_FILTERS_PROFILE_H_
#define AUTOTRACE_FILTERS_PROFILE_H_

#include <set>
#include <string>
#include <string_view>

namespace autotrace::filters {

struct Profile {
  std::string version;                    // 16 hexadecimal digits
  std::set<std::string> short_functions;  // linker names
};

// The text of a profile. `threshold`: what their calls were shorter than, as in the configuration.
std::string WriteProfile(const std::set<std::string>& short_functions, std::string_view threshold);

// False when it is no profile, or was changed since it was written; *error then says what was
// found.
bool ParseProfile(std::string_view text, Profile* profile, std::string* error);

// The same of a file, whose path *error then begins with.
bool ReadProfile(const std::string& path, Profile* profile, std::string* error);

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_PROFILE_H_
