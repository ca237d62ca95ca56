// What `autotracer ctl` asks of a running program (control_page.h): pausing, and other functions or
// durations than those of its configuration.
//
// Nothing is undone for calls that are open: they end as they began. All decisions are forgotten,
// and every function is decided about anew, by another filter, at its next call. Paused is a filter
// that matches nothing. Hooks of functions that are not wanted are erased as always, so that a
// paused program's calls cost next to nothing.
#include <new>
#include <utility>

#include "filters/config_loader.h"
#include "filters/quantities.h"
#include "runtime/session.h"

namespace autotrace {
namespace {

// After a change, a thread may store one more decision by the old filter. So often are decisions
// forgotten again, each time that the thread looks after the house.
constexpr int kForgetAgain = 3;
// Of quiet functions, in an answer.
constexpr size_t kMostNames = 10;

std::string Join(const filters::Strings& patterns) {
  std::string text;
  for (const std::string& pattern : patterns) text += (text.empty() ? "" : ", ") + pattern;
  return text;
}

// Takes one setting as the environment would give it. False, with what is wrong.
bool ReadSetting(const std::string& key, const std::string& value, filters::Config* config,
                 std::string* error) {
  std::string_view variable;
  if (key == "modules") variable = "AUTOTRACE_MODULES";
  if (key == "exclude") variable = "AUTOTRACE_EXCLUDE";
  if (key == "min_duration") variable = "AUTOTRACE_MIN_DURATION";
  if (key == "quiet_after") variable = "AUTOTRACE_QUIET_AFTER";
  if (variable.empty()) {
    *error = key +
             ": cannot be changed while the program runs; modules, exclude, min_duration and "
             "quiet_after can";
    return false;
  }
  const filters::LoadResult loaded = filters::LoadConfig(
      [&](const char* asked) { return asked == variable ? value.c_str() : nullptr; });
  if (!loaded.error.empty()) {
    *error = loaded.error;
    if (error->starts_with(variable)) error->replace(0, variable.size(), key);
    return false;
  }
  if (key == "modules") config->modules = loaded.config.modules;
  if (key == "exclude") config->exclude = loaded.config.exclude;
  if (key == "min_duration") config->min_duration = loaded.config.min_duration;
  if (key == "quiet_after") config->quiet_after = loaded.config.quiet_after;
  return true;
}

}  // namespace

void Session::OpenControl() {
  if (segments_ == nullptr || !config_.thread) return;
  const std::string& stem = segments_->stem();
  // Without it the program runs as it was told to at its start.
  control_.Create(run_.path, stem.substr(stem.rfind('/') + 1) + std::string(kControlSuffix),
                  process_key_);
}

void Session::ObeyControl() {
  try {
    const std::string request = control_.Request();
    if (!request.empty()) Obey(request);
  } catch (const std::bad_alloc&) {
    control_.Answer(false, "the program has no memory left for it");
  }
}

void Session::Obey(const std::string& request) {
  const size_t equals = request.find('=');
  std::string error;
  if (request == "on" || request == "off") {
    paused_ = request == "off";
    ChangeFilter();
  } else if (equals != std::string::npos) {
    filters::Config changed = steered_ != nullptr ? *steered_ : config_;
    if (ReadSetting(request.substr(0, equals), request.substr(equals + 1), &changed, &error)) {
      steered_ = std::make_unique<filters::Config>(std::move(changed));
      ChangeFilter();
    }
  } else if (request != "status") {
    error = "\"" + request +
            "\": expected on, off, status, modules=, exclude=, min_duration= or quiet_after=";
  }
  control_.Answer(error.empty(), error.empty() ? StatusText() : error);
}

void Session::ChangeFilter() {
  filters::Config config = steered_ != nullptr ? *steered_ : config_;
  if (paused_) {
    config.modules.clear();
    config.roots.clear();
  }
  filters_.push_back(std::make_unique<filters::FunctionFilter>(config));
  const filters::FunctionFilter& filter = *filters_.back();
  SetThresholds(filter);
  LimitShortCalls(config);
  quiet_.RestoreAll();
  shared_.paused.store(paused_, std::memory_order_relaxed);
  decider_.set_filter(&filter);
  forget_again_ = kForgetAgain;
  ForgetDecisions();
  erasing_.DecideAgain();
  erasing_.Apply();
}

void Session::LimitShortCalls(const filters::Config& config) {
  // Somebody has to look at what was counted.
  const uint32_t limit = config_.thread ? config.quiet_calls() : 0;
  const bool counts = limit > 0 && shared_.short_calls.Initialize();
  shared_.short_calls.set_limit(counts ? limit : 0);
}

void Session::SetThresholds(const filters::FunctionFilter& filter) {
  for (size_t i = 0; i < filter.thresholds().size() && i < decision::kNoThreshold; ++i) {
    shared_.SetThreshold(i, TicksFromNanos(filter.thresholds()[i]));
  }
}

void Session::ForgetDecisions() {
  shared_.decisions.ForgetIf([](uint64_t) { return true; });
  modules_.ForgetKeptDecisions();
}

std::string Session::StatusText() const {
  const filters::Config& config = steered_ != nullptr ? *steered_ : config_;
  std::string text = paused_ ? "paused" : "recording";
  if (!config.modules.empty()) text += "\nmodules: " + Join(config.modules);
  if (!config.exclude.empty()) text += "\nexclude: " + Join(config.exclude);
  if (config.min_duration > 0) {
    text += "\nmin_duration: " + filters::FormatDuration(config.min_duration);
  }
  text += "\nspans: " + std::to_string(drainer_->recorded_spans());
  const ErasedHooks hooks = erasing_.counts();
  text += "\nhooks erased: " + std::to_string(hooks.erased) + " of " +
          std::to_string(hooks.functions) + " functions";
  if (!erasing_.reason().empty()) text += " (" + erasing_.reason() + ")";
  const size_t quiet = quiet_.functions().size();
  if (quiet > 0) {
    text += "\nquiet: " + std::to_string(quiet) + (quiet == 1 ? " function" : " functions") +
            QuietNames(kMostNames);
  }
  return text;
}

}  // namespace autotrace
