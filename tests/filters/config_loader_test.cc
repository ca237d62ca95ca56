#include "filters/config_loader.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "filters/config_keys.h"
#include "tests/support/test_files.h"

namespace autotrace::filters {
namespace {

using test::TemporaryFolder;

LoadResult Load(const Environment::Variables& variables) {
  LoadResult result = LoadConfig(Environment(variables));
  INFO(result.error);
  REQUIRE(result.error.empty());
  return result;
}

const EffectiveValue& Effective(const LoadResult& result, const std::string& key) {
  for (const EffectiveValue& effective : result.effective) {
    if (effective.key == key) return effective;
  }
  FAIL("no key " << key);
  return result.effective.front();
}

TEST_CASE("tracing is active only when it was asked for", "[config]") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("trace.yaml", "modules: [app]\n");
  const std::string off = folder.Write("off.yaml", "enabled: false\n");
  CHECK_FALSE(Load({}).config.active);
  CHECK_FALSE(Load({{"AUTOTRACE_MIN_DURATION", "1ms"}}).config.active);
  CHECK_FALSE(Load({{"AUTOTRACE_MODULES", ""}}).config.active);
  CHECK(Load({{"AUTOTRACE_MODULES", "app"}}).config.active);
  CHECK(Load({{"AUTOTRACE_CONFIG", file}}).config.active);
  CHECK(Load({{"AUTOTRACE_ENABLED", "1"}}).config.active);
  CHECK(Load({{"AUTOTRACE_ENABLED", "1"}, {"AUTOTRACE_CONFIG", off}}).config.active);
  CHECK_FALSE(Load({{"AUTOTRACE_CONFIG", off}}).config.active);
  CHECK_FALSE(Load({{"AUTOTRACE_CONFIG", off}}).config.enabled);
  CHECK_FALSE(Load({{"AUTOTRACE_ENABLED", "0"}, {"AUTOTRACE_MODULES", "app"}}).config.active);
}

TEST_CASE("OTEL_SDK_DISABLED switches off whatever else is set", "[config]") {
  const LoadResult off = Load(
      {{"OTEL_SDK_DISABLED", "True"}, {"AUTOTRACE_MODULES", "app"}, {"AUTOTRACE_ENABLED", "1"}});
  CHECK_FALSE(off.config.active);
  CHECK_FALSE(off.config.enabled);
  CHECK(Effective(off, "enabled").origin == "OTEL_SDK_DISABLED");
  CHECK(Load({{"OTEL_SDK_DISABLED", "false"}, {"AUTOTRACE_MODULES", "app"}}).config.active);
  const LoadResult odd = Load({{"OTEL_SDK_DISABLED", "perhaps"}, {"AUTOTRACE_MODULES", "app"}});
  CHECK(odd.config.active);
  CHECK(odd.warnings ==
        std::vector<std::string>{
            "OTEL_SDK_DISABLED: found \"perhaps\", expected true or false; taken for false"});
}

TEST_CASE("an error still tells whether anything was asked for", "[config]") {
  const auto load = [](const Environment::Variables& variables) {
    const LoadResult result = LoadConfig(Environment(variables));
    CHECK_FALSE(result.error.empty());
    CHECK(result.effective.empty());
    return result.config.active;
  };
  CHECK_FALSE(load({{"AUTOTRACE_MIN_DURATION", "5"}}));
  CHECK(load({{"AUTOTRACE_MIN_DURATION", "5"}, {"AUTOTRACE_MODULES", "app"}}));
  CHECK_FALSE(load({{"AUTOTRACE_CONFIG", "/nonexistent/f"}, {"AUTOTRACE_ENABLED", "0"}}));
  CHECK(load({{"AUTOTRACE_ENABLED", "maybe"}}));
}

TEST_CASE("a mistake in a variable of OpenTelemetry's is a warning, whoever asked for what") {
  for (const bool asked : {false, true}) {
    // Another program's OTLP settings must not make an instrumented one talk: the runtime passes
    // warnings on when tracing was asked for.
    Environment::Variables variables = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"}};
    if (asked) variables.emplace_back("AUTOTRACE_MODULES", "app");
    const LoadResult result = LoadConfig(Environment(variables));
    CHECK(result.error.empty());
    CHECK(result.warnings.size() == 1);
    CHECK(result.config.active == asked);
    CHECK_FALSE(result.config.live_export());
  }
}

TEST_CASE("every key can be set from a file", "[config]") {
  const LoadResult result = ParseConfig(R"(
enabled: true
start: paused
thread: false
patch: off
summary: true
modules:
  - app
  - "*::detail"
exclude: std, boost
exclude_subtree: [app::log]
roots: [app::handle]
compiler_made: true
min_duration: 1.5ms
min_duration_for:
  app::db: 10us
  "**::slow": 1s
min_duration_mode: function
quiet_after: 2000
max_depth: 7
pipeline_id: 6f1e9d1c-6f0f-4a43-9df4-1c2b8f3f7a10
pipeline_id_key: my.id
pipeline_id_on: local_root
pipelines:
  app::import: import
  app: other
callers: false
root_stacktrace: true
exception_stacktrace: false
unwinder: libunwind
thread_parents: false
keep_errors: false
process_args: true
dir: /var/traces
record: true
spool: false
max_disk: 2GiB
keep_runs: 3
ring_size: 1MiB
service_name: my service
resource_attributes:
  deployment.environment.name: test
  team: "1"
otlp:
  endpoint: http://collector:4318
  headers:
    api-key: s3cret
  protocol: http/json
  compression: gzip
  certificate: /etc/ours.pem
  client_certificate: /etc/client.pem
  client_key: /etc/client.key
  timeout: 2s
)",
                                        "trace.yaml");
  INFO(result.error);
  REQUIRE(result.error.empty());
  const Config& config = result.config;
  CHECK(config.active);
  CHECK(config.enabled);
  CHECK(config.start_paused);
  CHECK_FALSE(config.thread);
  CHECK_FALSE(config.patch);
  CHECK(config.summary == Tristate::kOn);
  CHECK(config.modules == Strings{"app", "*::detail"});
  CHECK(config.exclude == Strings{"std", "boost"});
  CHECK(config.exclude_subtree == Strings{"app::log"});
  CHECK(config.roots == Strings{"app::handle"});
  CHECK(config.compiler_made);
  CHECK(config.min_duration == 1'500'000);
  CHECK(config.min_duration_for ==
        std::vector<PatternDuration>{{"app::db", 10'000}, {"**::slow", 1'000'000'000}});
  CHECK(config.min_duration_mode == DurationMode::kFunction);
  CHECK(config.quiet_after == 2000);
  CHECK(config.quiet_calls() == 2000);
  CHECK(config.max_depth == 7);
  CHECK(config.pipeline_id == "6f1e9d1c-6f0f-4a43-9df4-1c2b8f3f7a10");
  CHECK(config.pipeline_id_key == "my.id");
  CHECK(config.pipeline_id_on == PipelineIdOn::kLocalRoot);
  CHECK(config.pipelines == std::vector<PatternValue>{{"app::import", "import"}, {"app", "other"}});
  CHECK_FALSE(config.callers);
  CHECK(config.root_stacktrace);
  CHECK_FALSE(config.exception_stacktrace);
  CHECK(config.unwinder == Unwinder::kLibunwind);
  CHECK_FALSE(config.thread_parents);
  CHECK_FALSE(config.keep_errors);
  CHECK(config.process_args);
  CHECK(config.dir == "/var/traces");
  CHECK(config.record == Tristate::kOn);
  CHECK_FALSE(config.spool);
  CHECK(config.max_disk == uint64_t{2} << 30);
  CHECK(config.keep_runs == 3);
  CHECK(config.ring_size == uint64_t{1} << 20);
  CHECK(config.service_name == "my service");
  CHECK(config.resource_attributes ==
        std::vector<KeyValue>{{"deployment.environment.name", "test"}, {"team", "1"}});
  CHECK(config.otlp_endpoint == "http://collector:4318/v1/traces");
  CHECK(config.otlp_headers == std::vector<KeyValue>{{"api-key", "s3cret"}});
  CHECK(config.otlp_protocol == OtlpProtocol::kHttpJson);
  CHECK(config.otlp_compression == OtlpCompression::kGzip);
  CHECK(config.otlp_certificate == "/etc/ours.pem");
  CHECK(config.otlp_client_certificate == "/etc/client.pem");
  CHECK(config.otlp_client_key == "/etc/client.key");
  CHECK(config.otlp_timeout == 2'000'000'000);

  // What this test leaves at its default it does not test.
  for (const EffectiveValue& effective : result.effective) {
    INFO(effective.key);
    CHECK((effective.source == Source::kFile || effective.key == "otlp.traces_endpoint"));
  }
}

TEST_CASE("every key with a variable can be set from the environment", "[config]") {
  const Environment::Variables variables = {
      {"AUTOTRACE_ENABLED", "yes"},
      {"AUTOTRACE_START", "paused"},
      {"AUTOTRACE_THREAD", "0"},
      {"AUTOTRACE_PATCH", "off"},
      {"AUTOTRACE_SUMMARY", "1"},
      {"AUTOTRACE_MODULES", "app, lib::Map<int, long>,operator,,"},
      {"AUTOTRACE_EXCLUDE", "std"},
      {"AUTOTRACE_EXCLUDE_SUBTREE", "app::log"},
      {"AUTOTRACE_ROOTS", "app::handle"},
      {"AUTOTRACE_COMPILER_MADE", "on"},
      {"AUTOTRACE_MIN_DURATION", "10us"},
      {"AUTOTRACE_MIN_DURATION_MODE", "function"},
      {"AUTOTRACE_QUIET_AFTER", "auto"},
      {"AUTOTRACE_MAX_DEPTH", "4294967295"},
      {"AUTOTRACE_PIPELINE_ID", "id"},
      {"AUTOTRACE_PIPELINE_ID_KEY", "key"},
      {"AUTOTRACE_PIPELINE_ID_ON", "local_root"},
      {"AUTOTRACE_CALLERS", "OFF"},
      {"AUTOTRACE_ROOT_STACKTRACE", "True"},
      {"AUTOTRACE_EXCEPTION_STACKTRACE", "false"},
      {"AUTOTRACE_UNWINDER", "libunwind"},
      {"AUTOTRACE_KEEP_ERRORS", "no"},
      {"AUTOTRACE_THREAD_PARENTS", "off"},
      {"AUTOTRACE_PROCESS_ARGS", "true"},
      {"AUTOTRACE_DIR", "/var/traces"},
      {"AUTOTRACE_RECORD", "false"},
      {"AUTOTRACE_SPOOL", "false"},
      {"AUTOTRACE_MAX_DISK", "2MiB"},
      {"AUTOTRACE_KEEP_RUNS", "1"},
      {"AUTOTRACE_RING_SIZE", "4MiB"},
      {"AUTOTRACE_SERVICE_NAME", "service"},
      {"OTEL_RESOURCE_ATTRIBUTES", "a=1, b = two%20words%2C%3D ,c=x=y"},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"},
      {"OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret,Authorization=Basic%20YTpi="},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"},
  };
  const LoadResult result = Load(variables);
  const Config& config = result.config;
  CHECK(config.active);
  CHECK(config.start_paused);
  CHECK_FALSE(config.thread);
  CHECK_FALSE(config.patch);
  CHECK(config.summary == Tristate::kOn);
  CHECK(config.modules == Strings{"app", "lib::Map<int, long>", "operator,"});
  CHECK(config.exclude == Strings{"std"});
  CHECK(config.exclude_subtree == Strings{"app::log"});
  CHECK(config.roots == Strings{"app::handle"});
  CHECK(config.compiler_made);
  CHECK(config.min_duration == 10'000);
  CHECK(config.min_duration_mode == DurationMode::kFunction);
  CHECK(config.quiet_after == Config::kQuietByMode);
  CHECK(config.quiet_calls() == 10'000);
  CHECK(config.max_depth == 4294967295u);
  CHECK(config.pipeline_id == "id");
  CHECK(config.pipeline_id_key == "key");
  CHECK(config.pipeline_id_on == PipelineIdOn::kLocalRoot);
  CHECK_FALSE(config.callers);
  CHECK(config.root_stacktrace);
  CHECK_FALSE(config.exception_stacktrace);
  CHECK(config.unwinder == Unwinder::kLibunwind);
  CHECK_FALSE(config.spool);
  CHECK_FALSE(config.keep_errors);
  CHECK(config.process_args);
  CHECK(config.dir == "/var/traces");
  CHECK(config.record == Tristate::kOff);
  CHECK(config.max_disk == uint64_t{2} << 20);
  CHECK(config.keep_runs == 1);
  CHECK(config.ring_size == uint64_t{4} << 20);
  CHECK(config.service_name == "service");
  CHECK(config.resource_attributes ==
        std::vector<KeyValue>{{"a", "1"}, {"b", "two words,="}, {"c", "x=y"}});
  CHECK(config.otlp_endpoint == "https://collector/v1/traces");
  CHECK(config.otlp_headers ==
        std::vector<KeyValue>{{"api-key", "s3cret"}, {"Authorization", "Basic YTpi="}});
  CHECK(config.otlp_timeout == 1'500'000'000);
  CHECK(result.warnings.empty());

  // The list above is complete.
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.environment == nullptr) continue;
    INFO(key.environment);
    CHECK(Effective(result, std::string(key.name)).origin == key.environment);
  }
}

TEST_CASE("AUTOTRACE_ beats OTEL_ beats the file beats the default", "[config]") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("t.yaml", "service_name: file\nmax_depth: 3\n");
  const LoadResult from_file = Load({{"AUTOTRACE_CONFIG", file}});
  CHECK(from_file.config.service_name == "file");
  CHECK(Effective(from_file, "service_name").source == Source::kFile);
  CHECK(Effective(from_file, "max_depth").origin == file + ":2");
  CHECK(Effective(from_file, "keep_runs").source == Source::kDefault);
  CHECK(Effective(from_file, "keep_runs").value == "10");

  const LoadResult otel = Load({{"AUTOTRACE_CONFIG", file}, {"OTEL_SERVICE_NAME", "otel"}});
  CHECK(otel.config.service_name == "otel");
  CHECK(Effective(otel, "service_name").source == Source::kOtelEnvironment);

  const LoadResult own = Load({{"AUTOTRACE_CONFIG", file},
                               {"OTEL_SERVICE_NAME", "otel"},
                               {"AUTOTRACE_SERVICE_NAME", "own"}});
  CHECK(own.config.service_name == "own");
  CHECK(Effective(own, "service_name").source == Source::kEnvironment);
  CHECK(Effective(own, "service_name").origin == "AUTOTRACE_SERVICE_NAME");
  CHECK(own.config.max_depth == 3);
}

TEST_CASE("LoadConfigFile reads its file whatever AUTOTRACE_CONFIG says", "[config]") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("t.yaml", "modules: [app]\nmax_depth: 3\n");
  const LoadResult result =
      LoadConfigFile(file, Environment(Environment::Variables{{"AUTOTRACE_CONFIG", "/nonexistent"},
                                                              {"AUTOTRACE_MAX_DEPTH", "4"}}));
  CHECK(result.error.empty());
  CHECK(result.config.modules == Strings{"app"});
  CHECK(result.config.max_depth == 4);
  CHECK(result.config.active);
}

TEST_CASE("service.name among the attributes serves when no service name is set", "[config]") {
  const LoadResult taken = Load({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,team=a"}});
  CHECK(taken.config.service_name == "shop");
  CHECK(taken.config.resource_attributes == std::vector<KeyValue>{{"team", "a"}});
  CHECK(Effective(taken, "service_name").origin == "OTEL_RESOURCE_ATTRIBUTES");
  const LoadResult weaker =
      Load({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=shop"}, {"OTEL_SERVICE_NAME", "named"}});
  CHECK(weaker.config.service_name == "named");
  CHECK(weaker.config.resource_attributes.empty());
}

TEST_CASE("resource attributes of file and environment are added up", "[config]") {
  const TemporaryFolder folder;
  const std::string file = folder.Write("t.yaml", "resource_attributes: {a: file, b: file}\n");
  const LoadResult result =
      Load({{"AUTOTRACE_CONFIG", file}, {"OTEL_RESOURCE_ATTRIBUTES", "b=env,c=env"}});
  CHECK(result.config.resource_attributes ==
        std::vector<KeyValue>{{"a", "file"}, {"b", "env"}, {"c", "env"}});
  CHECK(Effective(result, "resource_attributes").origin == file + ":1, OTEL_RESOURCE_ATTRIBUTES");
}

TEST_CASE("OTLP endpoints follow the exporter specification", "[config]") {
  const auto base = [](const char* url) {
    return Load({{"OTEL_EXPORTER_OTLP_ENDPOINT", url}}).config.otlp_endpoint;
  };
  const auto traces = [](const char* url) {
    return Load({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url}}).config.otlp_endpoint;
  };
  CHECK(base("http://c:4318") == "http://c:4318/v1/traces");
  CHECK(base("http://c:4318/") == "http://c:4318/v1/traces");
  CHECK(base("http://c/mine") == "http://c/mine/v1/traces");
  CHECK(base("http://c/mine/") == "http://c/mine/v1/traces");
  CHECK(base("http://c/v1/traces") == "http://c/v1/traces");
  CHECK(base("HTTPS://c?token=1") == "HTTPS://c/v1/traces?token=1");
  CHECK(base("http://u:p@[::1]:4318") == "http://u:p@[::1]:4318/v1/traces");
  CHECK(traces("http://c:4318") == "http://c:4318/");
  CHECK(traces("http://c/api/otlp") == "http://c/api/otlp");
  CHECK(traces("http://c/v1/traces") == "http://c/v1/traces");

  const LoadResult both = Load({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x"},
                                {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://b"},
                                {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "t=1"},
                                {"OTEL_EXPORTER_OTLP_HEADERS", "b=1"},
                                {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1"},
                                {"OTEL_EXPORTER_OTLP_TIMEOUT", "2"}});
  CHECK(both.config.otlp_endpoint == "http://t/x");
  CHECK(both.config.otlp_headers == std::vector<KeyValue>{{"t", "1"}});
  CHECK(both.config.otlp_timeout == 1'000'000);
  CHECK(Effective(both, "otlp.traces_endpoint").origin == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  CHECK(Effective(both, "otlp.endpoint").value == "\"\"");

  const LoadResult file =
      ParseConfig("otlp: {traces_endpoint: \"http://t/x\", endpoint: \"http://b\"}\n", "f");
  CHECK(file.config.otlp_endpoint == "http://t/x");
}

TEST_CASE("an endpoint means live export instead of a recording unless both are asked for",
          "[config]") {
  const LoadResult embedded = Load({{"AUTOTRACE_MODULES", "app"}});
  CHECK_FALSE(embedded.config.live_export());
  CHECK(embedded.config.recorded());
  const Environment::Variables live = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}};
  CHECK(Load(live).config.live_export());
  CHECK_FALSE(Load(live).config.recorded());
  Environment::Variables both = live;
  both.emplace_back("AUTOTRACE_RECORD", "1");
  CHECK(Load(both).config.recorded());
}

TEST_CASE("the folder for runs is absolute", "[config]") {
  const std::string current = std::filesystem::current_path().string();
  CHECK(Load({{"AUTOTRACE_DIR", "traces"}}).config.dir == current + "/traces");
  CHECK(Load({{"AUTOTRACE_DIR", "./traces"}}).config.dir == current + "/traces");
  CHECK(Load({{"AUTOTRACE_DIR", "."}}).config.dir == current);
  CHECK(Load({{"AUTOTRACE_DIR", "/x/y"}}).config.dir == "/x/y");
}

// Runs `check` in a forked child that may change its folder and user; the child's answer comes back
// as its exit status.
template <typename Check>
bool InChild(const Check& check) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(check() ? 0 : 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status == 0;
}

// Into a folder that this process may not write, as root neither.
bool EnterReadOnlyFolder(const std::string& folder) {
  constexpr uid_t kNobody = 65534;
  if (chdir(folder.c_str()) != 0) return false;
  return geteuid() != 0 || setuid(kNobody) == 0;
}

TEST_CASE("runs go below the state folder when the current one cannot be written", "[config]") {
  const TemporaryFolder folder;
  const auto dir = [](const Environment::Variables& variables) {
    return LoadConfig(Environment(variables)).config.dir;
  };
  CHECK(InChild([&] {
    return chdir(folder.path().c_str()) == 0 && dir({}) == folder.path() + "/autotrace.data";
  }));

  REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
  CHECK(InChild([&] {
    return EnterReadOnlyFolder(folder.path()) &&
           dir({{"HOME", "/home/u"}}) == "/home/u/.local/state/autotrace";
  }));
  CHECK(InChild([&] {
    return EnterReadOnlyFolder(folder.path()) &&
           dir({{"HOME", "/home/u"}, {"XDG_STATE_HOME", "/state"}}) == "/state/autotrace";
  }));
  // The XDG specification has relative paths ignored.
  CHECK(InChild([&] {
    return EnterReadOnlyFolder(folder.path()) &&
           dir({{"HOME", "/home/u"}, {"XDG_STATE_HOME", "state"}}) ==
               "/home/u/.local/state/autotrace";
  }));
  // What was asked for is not second-guessed.
  CHECK(InChild([&] {
    return EnterReadOnlyFolder(folder.path()) &&
           dir({{"AUTOTRACE_DIR", "x"}}) == folder.path() + "/x";
  }));
}

TEST_CASE("a misspelt variable is a warning that names the nearest one", "[config]") {
  const LoadResult result = Load({{"AUTOTRACE_MIN_DURATON", "1ms"},
                                  {"AUTOTRACE_RUN", "x"},
                                  {"AUTOTRACE_SOMETHING_ELSE", "1"},
                                  {"AUTOTRACE_MODULE", "app"},
                                  {"AUTOTRACE_EMPTY", ""}});
  CHECK(result.warnings ==
        std::vector<std::string>{
            "AUTOTRACE_MIN_DURATON: unknown variable (did you mean 'AUTOTRACE_MIN_DURATION'?)",
            "AUTOTRACE_MODULE: unknown variable (did you mean 'AUTOTRACE_MODULES'?)",
            "AUTOTRACE_SOMETHING_ELSE: unknown variable"});
}

TEST_CASE("the process's own environment is read when none is given", "[config]") {
  CHECK(InChild([] {
    setenv("AUTOTRACE_MODULES", "app::own", 1);
    setenv("AUTOTRACE_MODULSE", "x", 1);
    const LoadResult result = LoadConfig();
    return result.config.modules == Strings{"app::own"} && result.warnings.size() == 1;
  }));
}

TEST_CASE("a lookup function may stand for the environment", "[config]") {
  const LoadResult result = LoadConfig([](const char* name) -> const char* {
    return std::string_view(name) == "AUTOTRACE_MODULES" ? "app" : nullptr;
  });
  CHECK(result.config.modules == Strings{"app"});
}

TEST_CASE("a file with nothing in it is all defaults", "[config]") {
  const LoadResult result = ParseConfig("# nothing yet\n", "f");
  CHECK(result.error.empty());
  CHECK(result.config.active);
  CHECK(result.effective.size() == ConfigKeys().size());
}

}  // namespace
}  // namespace autotrace::filters
