#include "plugin/settings.h"

#include "filters/environment.h"
#include "filters/message_text.h"
#include "filters/pattern.h"

namespace autotrace::plugin {
namespace {

using filters::Quoted;

bool ReadModules(std::string_view value, Settings* settings, std::string* error) {
  for (const std::string& text : filters::SplitPatterns(value)) {
    filters::Pattern pattern;
    if (!filters::Pattern::Parse(text, &pattern, error)) {
      *error = "modules: " + *error;
      return false;
    }
    settings->modules.push_back(text);
  }
  return true;
}

}  // namespace

bool ReadArgument(std::string_view key, std::string_view value, Settings* settings,
                  std::string* error) {
  const auto fail = [&](std::string_view expected) {
    *error = std::string(key) + ": found " + Quoted(value) + ", expected " + std::string(expected);
    return false;
  };
  if (key == "modules") return ReadModules(value, settings, error);
  if (key == "leaves") {
    if (value == "none") {
      settings->leaves = Leaves::kNone;
    } else if (value == "inline") {
      settings->leaves = Leaves::kInline;
    } else if (value == "all") {
      settings->leaves = Leaves::kAll;
    } else {
      return fail("inline, all or none");
    }
    return true;
  }
  if (key == "compiler-made") {
    if (value != "drop" && value != "keep") return fail("drop or keep");
    settings->keep_compiler_made = value == "keep";
    return true;
  }
  if (key == "profile") {
    if (filters::ReadProfile(std::string(value), &settings->profile, error)) return true;
    *error = "profile: " + *error;
    return false;
  }
  if (key == "profile-version") {
    settings->profile_version = value;
    return true;
  }
  if (key == "report") {
    if (!value.empty()) return fail("no value");
    settings->report = true;
    return true;
  }
  const std::string_view nearest = filters::Nearest(
      key, {"modules", "leaves", "compiler-made", "profile", "profile-version", "report"});
  *error = "there is no setting " + Quoted(key) + filters::DidYouMean(nearest);
  return false;
}

bool CheckArguments(const Settings& settings, std::string* error) {
  const std::string& wanted = settings.profile_version;
  if (wanted.empty() || wanted == settings.profile.version) return true;
  *error = "profile-version: found " + Quoted(wanted) + ", but the profile is version " +
           Quoted(settings.profile.version) +
           ": ask `autotracer flags` or CMake for the arguments again";
  return false;
}

}  // namespace autotrace::plugin
