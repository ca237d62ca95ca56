#include "filters/config_keys.h"

#include <stdint.h>

#include <limits>

#include "filters/message_text.h"
#include "filters/otlp_endpoint.h"
#include "filters/quantities.h"

namespace autotrace::filters {
namespace {

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

// One template per kind of value: a reader and a writer for the field.

template <bool Config::*field>
ConfigKey Bool(std::string_view name, const char* environment, std::string_view meaning) {
  return {name,
          environment,
          {},
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            return ReadBool(value, &(config->*field), error);
          },
          [](const Config& config) { return WriteBool(config.*field); }};
}

template <Tristate Config::*field>
ConfigKey Auto(std::string_view name, const char* environment, std::string_view meaning) {
  return {name,
          environment,
          {},
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            return ReadTristate(value, &(config->*field), error);
          },
          [](const Config& config) { return WriteTristate(config.*field); }};
}

template <std::string Config::*field>
ConfigKey Text(std::string_view name, const char* environment, std::string_view meaning) {
  return {name,
          environment,
          {},
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            return ReadText(value, &(config->*field), error);
          },
          [](const Config& config) { return WriteText(config.*field); }};
}

// A file that requests to the OTLP endpoint need. Its path may be relative to where the program was
// started.
template <std::string Config::*field>
ConfigKey OtlpFile(std::string_view name, std::vector<const char*> environment,
                   std::string_view meaning) {
  return {name,
          nullptr,
          std::move(environment),
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            return ReadFilePath(value, &(config->*field), error);
          },
          [](const Config& config) { return WriteText(config.*field); }};
}

// The choices in the order of the values; of a bool, what stands for false first.
template <typename Enum>
bool ReadEnum(const YamlValue& value, const std::vector<std::string_view>& choices, Enum* result,
              ValueError* error) {
  size_t index = 0;
  if (!ReadChoice(value, choices, &index, error)) return false;
  *result = static_cast<Enum>(index);
  return true;
}

template <Strings Config::*field>
ConfigKey Patterns(std::string_view name, const char* environment, std::string_view meaning) {
  return {name,
          environment,
          {},
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            return ReadPatterns(value, &(config->*field), error);
          },
          [](const Config& config) { return WritePatterns(config.*field); }};
}

template <uint32_t Config::*field, uint32_t minimum>
ConfigKey Number(std::string_view name, const char* environment, std::string_view meaning) {
  return {name,
          environment,
          {},
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            constexpr uint64_t kMaximum = std::numeric_limits<uint32_t>::max();
            uint64_t number = 0;
            if (!ReadWholeNumber(value, minimum, kMaximum, &number, error)) return false;
            config->*field = static_cast<uint32_t>(number);
            return true;
          },
          [](const Config& config) { return std::to_string(config.*field); }};
}

template <uint64_t Config::*field>
ConfigKey Size(std::string_view name, const char* environment, std::string_view meaning) {
  return {name,
          environment,
          {},
          meaning,
          [](const YamlValue& value, Config* config, ValueError* error) {
            return ReadSize(value, kMebibyte, &(config->*field), error);
          },
          [](const Config& config) { return FormatSize(config.*field); }};
}

std::vector<ConfigKey> SwitchKeys() {
  return {
      Bool<&Config::enabled>(
          "enabled", kEnabledVariable,
          "`false` switches everything off; `AUTOTRACE_ENABLED=1` alone switches "
          "on manual spans"),
      {"start",
       "AUTOTRACE_START",
       {},
       "`running`, or `paused` until `autotracer ctl PID on`",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadEnum(value, {"running", "paused"}, &config->start_paused, error);
       },
       [](const Config& config) {
         return std::string(config.start_paused ? "paused" : "running");
       }},
      Bool<&Config::thread>("thread", "AUTOTRACE_THREAD",
                            "`false`: no thread in the program; what was traced is read from "
                            "outside"),
      {"patch",
       "AUTOTRACE_PATCH",
       {},
       "`auto`: take the hooks out of functions that are not recorded; `off`: leave the program's "
       "code alone",
       [](const YamlValue& value, Config* config, ValueError* error) {
         bool off = false;
         if (!ReadEnum(value, {"auto", "off"}, &off, error)) return false;
         config->patch = !off;
         return true;
       },
       [](const Config& config) { return std::string(config.patch ? "auto" : "off"); }},
      Auto<&Config::summary>("summary", "AUTOTRACE_SUMMARY",
                             "print a summary at exit; `auto`: when stderr is a terminal"),
  };
}

std::vector<ConfigKey> FilterKeys() {
  return {
      Patterns<&Config::modules>("modules", kModulesVariable, "the functions to trace"),
      Patterns<&Config::exclude>("exclude", "AUTOTRACE_EXCLUDE",
                                 "functions that get no span; what they call still does"),
      Patterns<&Config::exclude_subtree>(
          "exclude_subtree", "AUTOTRACE_EXCLUDE_SUBTREE",
          "functions that get no span, nor does anything below them"),
      Patterns<&Config::roots>("roots", "AUTOTRACE_ROOTS",
                               "functions whose calls each start a trace of their own"),
      Bool<&Config::compiler_made>("compiler_made", "AUTOTRACE_COMPILER_MADE",
                                   "trace implicit and defaulted constructors, destructors and "
                                   "assignments too"),
      {"min_duration",
       "AUTOTRACE_MIN_DURATION",
       {},
       "calls shorter than this leave no span",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadDuration(value, &config->min_duration, error);
       },
       [](const Config& config) { return FormatDuration(config.min_duration); }},
      {"min_duration_for",
       nullptr,
       {},
       "other thresholds for some functions; of several patterns that match the last one counts",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadPatternDurations(value, &config->min_duration_for, error);
       },
       [](const Config& config) { return WritePatternDurations(config.min_duration_for); }},
      {"min_duration_mode",
       "AUTOTRACE_MIN_DURATION_MODE",
       {},
       "`span`: each call on its own time; `function`: all calls of a function from its first one "
       "over the threshold on",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadEnum(value, {"span", "function"}, &config->min_duration_mode, error);
       },
       [](const Config& config) {
         return std::string(config.min_duration_mode == DurationMode::kFunction ? "function"
                                                                                : "span");
       }},
      {"quiet_after",
       "AUTOTRACE_QUIET_AFTER",
       {},
       "a function whose first so many calls were all too short to be kept is not recorded any "
       "more, and loses its hooks; 0: never; `auto`: 10000 with `min_duration_mode: function`, "
       "else "
       "never",
       [](const YamlValue& value, Config* config, ValueError* error) {
         bool by_mode = false;
         uint64_t number = 0;
         if (!ReadNumberOrAuto(value, Config::kMostQuietCalls, &by_mode, &number, error)) {
           return false;
         }
         config->quiet_after = by_mode ? Config::kQuietByMode : static_cast<uint32_t>(number);
         return true;
       },
       [](const Config& config) {
         return config.quiet_after == Config::kQuietByMode ? std::string("auto")
                                                           : std::to_string(config.quiet_after);
       }},
      Number<&Config::max_depth, 0>("max_depth", "AUTOTRACE_MAX_DEPTH",
                                    "levels of spans in a trace, the root included; 0: no limit"),
  };
}

std::vector<ConfigKey> SpanKeys() {
  return {
      Text<&Config::pipeline_id>("pipeline_id", "AUTOTRACE_PIPELINE_ID",
                                 "stands on the root span of every trace"),
      {"pipeline_id_key",
       "AUTOTRACE_PIPELINE_ID_KEY",
       {},
       "the attribute that carries it",
       [](const YamlValue& value, Config* config, ValueError* error) {
         std::string key;
         if (!ReadText(value, &key, error)) return false;
         if (key.empty()) {
           *error = {value.position, "found \"\", expected the name of an attribute"};
           return false;
         }
         config->pipeline_id_key = key;
         return true;
       },
       [](const Config& config) { return WriteText(config.pipeline_id_key); }},
      {"pipeline_id_on",
       "AUTOTRACE_PIPELINE_ID_ON",
       {},
       "`root`: only on a span without a parent; `local_root`: on the first span in this process "
       "even when its parent is in another one",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadEnum(value, {"root", "local_root"}, &config->pipeline_id_on, error);
       },
       [](const Config& config) {
         return std::string(config.pipeline_id_on == PipelineIdOn::kLocalRoot ? "local_root"
                                                                              : "root");
       }},
      {"pipelines",
       nullptr,
       {},
       "other ids for some root functions; of several patterns that match the first one counts",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadPatternValues(value, &config->pipelines, error);
       },
       [](const Config& config) { return WriteMap(config.pipelines); }},
      Bool<&Config::callers>("callers", "AUTOTRACE_CALLERS",
                             "each span names the place it was called from"),
      Bool<&Config::root_stacktrace>("root_stacktrace", "AUTOTRACE_ROOT_STACKTRACE",
                                     "root spans carry the stack above them"),
      Bool<&Config::exception_stacktrace>("exception_stacktrace", "AUTOTRACE_EXCEPTION_STACKTRACE",
                                          "exceptions carry the stack where they were thrown"),
      {"unwinder",
       "AUTOTRACE_UNWINDER",
       {},
       "who finds these stacks: the runtime's `own` unwinder, or `libunwind`, which also knows "
       "code "
       "made at run time that was announced to it, and makes system calls where exceptions are "
       "thrown",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadEnum(value, {"own", "libunwind"}, &config->unwinder, error);
       },
       [](const Config& config) {
         return std::string(config.unwinder == Unwinder::kLibunwind ? "libunwind" : "own");
       }},
      Bool<&Config::keep_errors>("keep_errors", "AUTOTRACE_KEEP_ERRORS",
                                 "calls left by an exception are kept whatever their duration"),
      Bool<&Config::thread_parents>("thread_parents", "AUTOTRACE_THREAD_PARENTS",
                                    "the span that starts a thread is the parent of its spans"),
      Bool<&Config::process_args>("process_args", "AUTOTRACE_PROCESS_ARGS",
                                  "put the command line into the resource (it may hold secrets)"),
  };
}

// What stands in the file as otlp.endpoint has /v1/traces appended, so a URL that ends otherwise is
// written as otlp.traces_endpoint.
template <EndpointKind kind>
bool ReadEndpoint(const YamlValue& value, Config* config, ValueError* error) {
  std::string text;
  if (!ReadText(value, &text, error)) return false;
  if (text.empty()) {
    if (kind == EndpointKind::kBase) config->otlp_endpoint.clear();
    return true;
  }
  std::string problem;
  if (ResolveEndpoint(text, kind, &config->otlp_endpoint, &problem)) return true;
  *error = {value.position, std::move(problem)};
  return false;
}

template <EndpointKind kind>
std::string WriteEndpoint(const Config& config) {
  const bool base = EndsInTracesPath(config.otlp_endpoint);
  return WriteText(base == (kind == EndpointKind::kBase) ? config.otlp_endpoint : "");
}

std::vector<ConfigKey> OutputKeys() {
  ConfigKey service_name = Text<&Config::service_name>("service_name", "AUTOTRACE_SERVICE_NAME",
                                                       "`service.name` of the resource");
  service_name.otel_environment = {"OTEL_SERVICE_NAME"};
  service_name.default_text = "the executable's name";
  return {
      {"dir",
       "AUTOTRACE_DIR",
       {},
       "the folder for recorded runs; a relative one begins where the program was started",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadPath(value, &config->dir, error);
       },
       [](const Config& config) { return WriteText(config.dir); },
       /*secret=*/false,
       "./autotrace.data"},
      Auto<&Config::record>("record", "AUTOTRACE_RECORD",
                            "record to disk; `auto`: unless an OTLP endpoint is set"),
      Bool<&Config::spool>("spool", "AUTOTRACE_SPOOL",
                           "keep on disk what is to be sent to the OTLP endpoint, until it was"),
      Size<&Config::max_disk>("max_disk", "AUTOTRACE_MAX_DISK",
                              "most bytes one run keeps on disk; the oldest go first"),
      Number<&Config::keep_runs, 1>("keep_runs", "AUTOTRACE_KEEP_RUNS",
                                    "recorded runs kept in `dir`; the oldest go first; packed ones "
                                    "neither count nor go"),
      Size<&Config::ring_size>("ring_size", "AUTOTRACE_RING_SIZE",
                               "memory between the traced threads and the reader"),
      std::move(service_name),
      {"resource_attributes",
       nullptr,
       {"OTEL_RESOURCE_ATTRIBUTES"},
       "further attributes of the resource; those from the environment are added",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadAttributes(value, &config->resource_attributes, error);
       },
       [](const Config& config) { return WriteMap(config.resource_attributes); }},
      {"otlp.endpoint",
       nullptr,
       {"OTEL_EXPORTER_OTLP_ENDPOINT"},
       "base URL of a collector; `/v1/traces` is appended unless it ends so",
       ReadEndpoint<EndpointKind::kBase>,
       WriteEndpoint<EndpointKind::kBase>},
      {"otlp.traces_endpoint",
       nullptr,
       {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
       "URL for traces, used as it is; wins over `otlp.endpoint`",
       ReadEndpoint<EndpointKind::kTraces>,
       WriteEndpoint<EndpointKind::kTraces>},
      {"otlp.headers",
       nullptr,
       {"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"},
       "HTTP headers of each request, never shown",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadHeaders(value, &config->otlp_headers, error);
       },
       [](const Config& config) { return WriteMap(config.otlp_headers); },
       /*secret=*/true},
      {"otlp.protocol",
       nullptr,
       {"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"},
       "`http/protobuf` or `http/json`",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadEnum(value, {"http/protobuf", "http/json"}, &config->otlp_protocol, error);
       },
       [](const Config& config) {
         return std::string(config.otlp_protocol == OtlpProtocol::kHttpJson ? "http/json"
                                                                            : "http/protobuf");
       }},
      {"otlp.compression",
       nullptr,
       {"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"},
       "of requests: `gzip` or `none`",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadEnum(value, {"none", "gzip"}, &config->otlp_compression, error);
       },
       [](const Config& config) {
         return std::string(config.otlp_compression == OtlpCompression::kGzip ? "gzip" : "none");
       }},
      OtlpFile<&Config::otlp_certificate>(
          "otlp.certificate",
          {"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"},
          "PEM file of the authorities that an https endpoint's certificate is checked against"),
      OtlpFile<&Config::otlp_client_certificate>(
          "otlp.client_certificate",
          {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"},
          "PEM file of our certificate, for an endpoint that asks for one"),
      OtlpFile<&Config::otlp_client_key>(
          "otlp.client_key",
          {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"},
          "PEM file of its private key"),
      {"otlp.timeout",
       nullptr,
       {"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"},
       "of one request, and of the wait at exit; milliseconds in the environment",
       [](const YamlValue& value, Config* config, ValueError* error) {
         return ReadTimeout(value, &config->otlp_timeout, error);
       },
       [](const Config& config) { return FormatDuration(config.otlp_timeout); }},
  };
}

std::string_view Leaf(std::string_view name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  // Never freed: the runtime may still ask while the process ends.
  static const std::vector<ConfigKey>* const keys = [] {
    auto* all = new std::vector<ConfigKey>();
    for (const auto& group : {SwitchKeys(), FilterKeys(), SpanKeys(), OutputKeys()}) {
      all->insert(all->end(), group.begin(), group.end());
    }
    return all;
  }();
  return *keys;
}

size_t FindConfigKey(std::string_view name) {
  const std::vector<ConfigKey>& keys = ConfigKeys();
  size_t index = 0;
  while (index < keys.size() && keys[index].name != name) ++index;
  return index;
}

bool IsConfigGroup(std::string_view name) { return name == "otlp"; }

std::string_view NearestConfigKey(std::string_view name) {
  std::vector<std::string_view> spellings;
  std::vector<std::string_view> names;
  const auto add = [&](std::string_view spelling, std::string_view key) {
    spellings.push_back(spelling);
    names.push_back(key);
  };
  for (const ConfigKey& key : ConfigKeys()) add(key.name, key.name);
  for (const ConfigKey& key : ConfigKeys()) {
    if (Leaf(key.name) != key.name) add(Leaf(key.name), key.name);
    if (key.environment != nullptr) add(key.environment, key.name);
    for (const char* variable : key.otel_environment) add(variable, key.name);
  }
  add("otlp", "otlp");
  const std::string_view nearest = Nearest(name, spellings);
  for (size_t index = 0; index < spellings.size(); ++index) {
    if (spellings[index].data() == nearest.data()) return names[index];
  }
  return {};
}

const std::vector<std::string_view>& KnownVariables() {
  static const std::vector<std::string_view>* const variables = [] {
    auto* all = new std::vector<std::string_view>{kConfigVariable, kRunVariable, kRunMadeVariable};
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.environment != nullptr) all->push_back(key.environment);
    }
    return all;
  }();
  return *variables;
}

}  // namespace autotrace::filters
