#include "filters/config_loader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "filters/config_keys.h"
#include "filters/message_text.h"
#include "filters/otlp_endpoint.h"
#include "filters/yaml_reader.h"

namespace autotrace::filters {
namespace {

constexpr std::string_view kServiceNameAttribute = "service.name";
constexpr const char* kDefaultFolder = "autotrace.data";

// "true" in any case, as OpenTelemetry wants it, or one of our other words.
bool ReadSwitch(const char* text, bool* value) {
  YamlValue word;
  word.kind = YamlValue::Kind::kText;
  word.from_environment = true;
  word.text = text;
  ValueError error;
  return ReadBool(word, value, &error);
}

std::string SystemError(int error) {
  char buffer[128];
  // GNU's strerror_r, which returns the text.
  return strerror_r(error, buffer, sizeof(buffer));
}

// False with *problem when the file cannot be read whole.
bool ReadFile(const std::string& path, std::string* text, std::string* problem) {
  // Not to wait for somebody to write into a FIFO.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) {
    *problem = "cannot be read: " + SystemError(errno);
    return false;
  }
  struct stat status = {};
  if (fstat(file, &status) != 0) {
    *problem = "cannot be read: " + SystemError(errno);
  } else if (S_ISDIR(status.st_mode)) {
    *problem = "cannot be read: " + SystemError(EISDIR);
  } else if (!S_ISREG(status.st_mode)) {
    *problem = "cannot be read: not a regular file";
  } else {
    char buffer[16384];
    ssize_t size = 0;
    do {
      size = read(file, buffer, sizeof(buffer));
      if (size > 0) text->append(buffer, static_cast<size_t>(size));
    } while ((size > 0 && text->size() <= kMaximumYamlSize) || (size < 0 && errno == EINTR));
    if (size < 0) *problem = "cannot be read: " + SystemError(errno);
    if (text->size() > kMaximumYamlSize) *problem = "is larger than 1MiB";
  }
  close(file);
  return problem->empty();
}

std::string CurrentFolder() {
  char buffer[PATH_MAX];
  return getcwd(buffer, sizeof(buffer)) == nullptr ? std::string() : std::string(buffer);
}

std::string Joined(const std::string& folder, std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty() || path == ".") return folder;
  return (folder.ends_with('/') ? folder : folder + "/") + std::string(path);
}

// Below the current folder when that can be written, else where the XDG Base Directory
// specification has state kept.
std::string DefaultFolder(const Environment& environment) {
  const std::string current = CurrentFolder();
  if (!current.empty()) {
    const std::string folder = Joined(current, kDefaultFolder);
    const bool exists = access(folder.c_str(), F_OK) == 0;
    if (access(exists ? folder.c_str() : current.c_str(), W_OK | X_OK) == 0) return folder;
  }
  const char* state = environment.Get("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return Joined(state, "autotrace");
  const char* home = environment.Get("HOME");
  if (home != nullptr && *home == '/') return Joined(home, ".local/state/autotrace");
  return Joined(current.empty() ? "/" : current, kDefaultFolder);
}

// Builds one LoadResult: ReadFileText or nothing, then ReadEnvironment, then Finish.
class Loader {
 public:
  explicit Loader(const Environment& environment)
      : environment_(environment), origins_(ConfigKeys().size()) {}

  void ReadFileAt(const std::string& path) {
    std::string text, problem;
    if (ReadFile(path, &text, &problem)) {
      ReadFileText(text, path);
    } else {
      result_.error = Escaped(path) + ": " + problem;
    }
  }

  void ReadFileText(std::string_view text, const std::string& name) {
    file_name_ = Escaped(name);
    YamlValue root;
    YamlError error;
    if (!ReadYaml(text, &root, &error)) {
      Complain(error.position, error.key, error.text);
    } else if (root.kind == YamlValue::Kind::kMap) {
      ReadSettings(root);
    } else if (root.kind != YamlValue::Kind::kNothing) {
      Complain(root.position, "",
               "found " + std::string(KindName(root.kind)) +
                   ", expected lines such as "
                   "modules: [app]");
    }
    result_.error = first_complaint_;
  }

  void ReadEnvironment() {
    for (const ConfigKey& key : ConfigKeys()) {
      for (const char* variable : key.otel_environment) {
        ReadVariable(key, variable, Source::kOtelEnvironment);
      }
    }
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.environment != nullptr) ReadVariable(key, key.environment, Source::kEnvironment);
    }
    WarnOfUnknownVariables();
  }

  // `asked`: tracing was asked for by something other than the environment's switches.
  LoadResult Finish(bool asked) {
    ApplySwitches(asked);
    if (!result_.error.empty()) {
      Config config;
      config.active = result_.config.active;
      config.enabled = result_.config.enabled;
      result_.config = std::move(config);
      return std::move(result_);
    }
    ResolveServiceName();
    ResolvePaths();
    const std::vector<ConfigKey>& keys = ConfigKeys();
    for (size_t index = 0; index < keys.size(); ++index) AddEffective(keys[index], origins_[index]);
    return std::move(result_);
  }

 private:
  struct Origin {
    Source source = Source::kDefault;
    std::string text;
  };
  struct Setting {
    size_t key;
    Position position;  // of the key
    const YamlValue* value;
  };

  // ---- the file

  void ReadSettings(const YamlValue& root) {
    std::vector<Setting> settings;
    std::set<size_t> seen;
    for (const auto& [name, value] : root.entries) {
      if (!IsConfigGroup(name.text)) {
        AddSetting(name.text, name, value, &seen, &settings);
      } else if (value.kind == YamlValue::Kind::kMap) {
        for (const auto& [inner, inner_value] : value.entries) {
          AddSetting(name.text + "." + inner.text, inner, inner_value, &seen, &settings);
        }
      } else {
        Complain(value.position, name.text,
                 "found " + std::string(KindName(value.kind)) +
                     ", expected a map such as {endpoint: http://localhost:4318}");
      }
    }
    // In the table's order, in which stronger settings come after weaker ones.
    std::sort(settings.begin(), settings.end(),
              [](const Setting& a, const Setting& b) { return a.key < b.key; });
    for (const Setting& setting : settings) Apply(setting);
  }

  void AddSetting(const std::string& name, const YamlValue& key, const YamlValue& value,
                  std::set<size_t>* seen, std::vector<Setting>* settings) {
    const size_t index = FindConfigKey(name);
    if (index == ConfigKeys().size()) {
      Complain(key.position, name,
               "found an unknown key, expected one that docs/configuration.md lists" +
                   DidYouMean(NearestConfigKey(name)));
    } else if (!seen->insert(index).second) {
      Complain(key.position, name, "found this key a second time, expected it once");
    } else {
      settings->push_back({index, key.position, &value});
    }
  }

  void Apply(const Setting& setting) {
    const ConfigKey& key = ConfigKeys()[setting.key];
    ValueError error;
    if (!key.read(*setting.value, &result_.config, &error)) {
      Complain(error.position, key.name, error.text);
      return;
    }
    NoteOrigin(setting.key, Source::kFile,
               file_name_ + ":" + std::to_string(setting.position.line));
  }

  // Of several complaints about a file the one that stands first in it is told.
  void Complain(Position position, std::string_view key, const std::string& text) {
    if (!first_complaint_.empty() && !(position < complaint_position_)) return;
    complaint_position_ = position;
    first_complaint_ = file_name_;
    if (position.line != 0) {
      first_complaint_ +=
          ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
    }
    first_complaint_ += ": ";
    if (!key.empty()) first_complaint_ += Escaped(key.substr(0, 60)) + ": ";
    first_complaint_ += text;
  }

  // ---- the environment

  void ReadVariable(const ConfigKey& key, const char* variable, Source source) {
    const char* text = environment_.Get(variable);
    if (text == nullptr || !result_.error.empty()) return;
    YamlValue value;
    value.kind = YamlValue::Kind::kText;
    value.from_environment = true;
    value.text = text;
    ValueError error;
    if (!IsUtf8(value.text)) {
      error.text =
          "found " + (key.secret ? "other bytes" : Quoted(value.text)) + ", expected UTF-8 text";
    } else if (key.read(value, &result_.config, &error)) {
      NoteOrigin(static_cast<size_t>(&key - ConfigKeys().data()), source, variable);
      return;
    }
    const std::string complaint = std::string(variable) + ": " + error.text;
    if (source == Source::kOtelEnvironment) {
      // As OpenTelemetry wants it ("Configuration: Environment variable specification", parsing).
      result_.warnings.push_back(complaint + "; ignored");
    } else {
      result_.error = complaint;
    }
  }

  void WarnOfUnknownVariables() {
    const std::vector<std::string_view>& known = KnownVariables();
    for (const std::string& name : environment_.NamesWith("AUTOTRACE_")) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      result_.warnings.push_back(Escaped(name) + ": unknown variable" +
                                 DidYouMean(Nearest(name, known)));
    }
  }

  // ---- all together

  void NoteOrigin(size_t key, Source source, const std::string& text) {
    const std::string_view name = ConfigKeys()[key].name;
    Origin& origin = origins_[key];
    const bool added = name == "resource_attributes" && !origin.text.empty();
    origin = {source, added ? origin.text + ", " + text : text};
    // Two names for one field: what the one said, the other one is shown to come from.
    if (name == "otlp.endpoint") origins_[FindConfigKey("otlp.traces_endpoint")] = origin;
    if (name == "otlp.traces_endpoint" && result_.config.live_export()) {
      origins_[FindConfigKey("otlp.endpoint")] = origin;
    }
  }

  void ApplySwitches(bool asked) {
    Config& config = result_.config;
    if (const char* text = environment_.Get(kEnabledVariable)) {
      bool on = true;
      // A value that cannot be read has been complained about, which somebody should see.
      if (ReadSwitch(text, &on)) config.enabled = on;
      asked = asked || on;
    }
    asked = asked || environment_.Get(kModulesVariable) != nullptr ||
            environment_.Get(kConfigVariable) != nullptr;
    if (const char* text = environment_.Get(kSdkDisabledVariable)) {
      bool disabled = false;
      const bool read = ReadSwitch(text, &disabled);
      if (disabled) {
        config.enabled = false;
        origins_[FindConfigKey("enabled")] = {Source::kOtelEnvironment, kSdkDisabledVariable};
      }
      if (!read) {
        result_.warnings.push_back(std::string(kSdkDisabledVariable) + ": found " + Quoted(text) +
                                   ", expected true or false; taken for false");
      }
    }
    config.active = asked && config.enabled;
  }

  // The attribute service.name is another way to say service_name, and the weaker one.
  void ResolveServiceName() {
    Config& config = result_.config;
    std::vector<KeyValue>& attributes = config.resource_attributes;
    const auto found = std::find_if(
        attributes.begin(), attributes.end(),
        [](const KeyValue& attribute) { return attribute.first == kServiceNameAttribute; });
    if (found == attributes.end()) return;
    if (config.service_name.empty()) {
      config.service_name = found->second;
      origins_[FindConfigKey("service_name")] = origins_[FindConfigKey("resource_attributes")];
    }
    attributes.erase(found);
  }

  // The program may go to another folder before they are used.
  void ResolvePaths() {
    Config& config = result_.config;
    if (config.dir.empty()) config.dir = DefaultFolder(environment_);
    const std::string current = CurrentFolder();
    if (current.empty()) return;
    for (std::string* path : {&config.dir, &config.otlp_certificate,
                              &config.otlp_client_certificate, &config.otlp_client_key}) {
      if (!path->empty() && path->front() != '/') *path = Joined(current, *path);
    }
  }

  void AddEffective(const ConfigKey& key, const Origin& origin) {
    EffectiveValue effective;
    effective.key = std::string(key.name);
    effective.value = key.write(result_.config);
    const bool unset = effective.value == key.write(Config());
    if (key.secret && !unset) effective.value = "****";
    if (key.name.ends_with("endpoint") && !unset) {
      Config shown;
      shown.otlp_endpoint = WithoutUserInfo(result_.config.otlp_endpoint);
      effective.value = key.write(shown);
    }
    // The name that the endpoint was not written under.
    if (!(key.name.ends_with("endpoint") && unset)) {
      effective.source = origin.source;
      effective.origin = origin.text;
    }
    result_.effective.push_back(std::move(effective));
  }

  const Environment& environment_;
  LoadResult result_;
  std::vector<Origin> origins_;  // by index of the key
  std::string file_name_;
  std::string first_complaint_;
  Position complaint_position_;
};

// The last line of defence: nothing here throws but for want of memory.
template <typename Load>
LoadResult Guarded(const Load& load) {
  try {
    return load();
  } catch (const std::exception&) {
    LoadResult result;
    result.error = "out of memory";
    result.config.active = true;
    return result;
  }
}

}  // namespace

LoadResult LoadConfig(const Environment& environment) {
  return Guarded([&] {
    Loader loader(environment);
    const char* path = environment.Get(kConfigVariable);
    if (path != nullptr) loader.ReadFileAt(path);
    loader.ReadEnvironment();
    return loader.Finish(/*asked=*/false);
  });
}

LoadResult LoadConfigFile(const std::string& path, const Environment& environment) {
  return Guarded([&] {
    Loader loader(environment);
    loader.ReadFileAt(path);
    loader.ReadEnvironment();
    return loader.Finish(/*asked=*/true);
  });
}

LoadResult ParseConfig(std::string_view yaml, const std::string& name) {
  return Guarded([&] {
    const Environment nothing{Environment::Variables()};
    Loader loader(nothing);
    loader.ReadFileText(yaml, name);
    return loader.Finish(/*asked=*/true);
  });
}

}  // namespace autotrace::filters
