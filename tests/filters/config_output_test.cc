#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "filters/config_keys.h"
#include "filters/config_loader.h"
#include "filters/config_values.h"

namespace autotrace::filters {
namespace {

// Every field differs from its default and holds something that needs care in YAML.
Config Unusual() {
  Config config;
  config.enabled = false;
  config.start_paused = true;
  config.thread = false;
  config.patch = false;
  config.summary = Tristate::kOn;
  config.modules = {"app", "*", "**::x", "lib::Map<int, long>", "libx.so", "operator,"};
  config.exclude = {"app::(anonymous namespace)", "src/my folder/*.cc", "app::A::operator->"};
  config.exclude_subtree = {"app::run()::{lambda(int)#1}"};
  config.roots = {"app::handle*"};
  config.compiler_made = true;
  config.min_duration = 1'234'567;
  config.min_duration_for = {{"app::Box<a: b>", 1}, {"*::f", 2'000'000'000}};
  config.min_duration_mode = DurationMode::kFunction;
  config.quiet_after = 0;
  config.max_depth = 3;
  config.pipeline_id =
      "a \"quoted\" id: #1\n\\ \u00e4 \x01 \u00e4 \xc2\x9e\xc2\x85"
      "\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xef\xbf\xbe\xef\xbf\xbf";
  config.pipeline_id_key = "true";
  config.pipeline_id_on = PipelineIdOn::kLocalRoot;
  config.pipelines = {{"app", ""}, {"b", "123"}};
  config.callers = false;
  config.root_stacktrace = true;
  config.exception_stacktrace = false;
  config.unwinder = Unwinder::kLibunwind;
  config.thread_parents = false;
  config.keep_errors = false;
  config.process_args = true;
  config.dir = "/a b/'c'";
  config.record = Tristate::kOff;
  config.spool = false;
  config.max_disk = 1'048'577;
  config.keep_runs = 1;
  config.ring_size = uint64_t{1} << 20;
  config.otlp_endpoint = "http://user:password@c:4318/v1/traces";
  config.otlp_headers = {{"api-key", "s3cret, really"}};
  config.otlp_protocol = OtlpProtocol::kHttpJson;
  config.otlp_compression = OtlpCompression::kGzip;
  config.otlp_certificate = "/a/b: c.pem";
  config.otlp_client_certificate = "/a/#client.pem";
  config.otlp_client_key = "/a/key";
  config.otlp_timeout = 1;
  config.service_name = "- name";
  config.resource_attributes = {{"key: 1", "null"}, {"#", "[x]"}};
  return config;
}

TEST_CASE("ToYaml writes what ParseConfig reads back", "[output]") {
  const Config config = Unusual();
  const std::string yaml = ToYaml(config, /*with_secrets=*/true);
  const LoadResult result = ParseConfig(yaml, "run");
  INFO(yaml);
  INFO(result.error);
  REQUIRE(result.error.empty());
  // Every key is compared through its own text, and the text of the defaults differs.
  for (const ConfigKey& key : ConfigKeys()) {
    INFO(key.name);
    CHECK(key.write(result.config) == key.write(config));
    if (key.name != "otlp.traces_endpoint") CHECK(key.write(config) != key.write(Config()));
  }
  CHECK(result.config.pipeline_id == config.pipeline_id);
  CHECK(result.config.modules == config.modules);
  CHECK(result.config.exclude == config.exclude);
  CHECK(result.config.min_duration_for == config.min_duration_for);
  CHECK(result.config.resource_attributes == config.resource_attributes);
  CHECK(result.config.dir == config.dir);
}

TEST_CASE("the defaults survive a round trip", "[output]") {
  Config config;
  config.dir = "/runs";
  const LoadResult result = ParseConfig(ToYaml(config, /*with_secrets=*/true), "run");
  INFO(result.error);
  REQUIRE(result.error.empty());
  for (const ConfigKey& key : ConfigKeys()) CHECK(key.write(result.config) == key.write(config));
}

TEST_CASE("an endpoint that is used as it is survives a round trip", "[output]") {
  Config config;
  config.otlp_endpoint = "http://c/api/otlp";
  CHECK(ParseConfig(ToYaml(config, true), "run").config.otlp_endpoint == "http://c/api/otlp");
}

TEST_CASE("ToYaml without secrets holds neither headers nor a password", "[output]") {
  const std::string yaml = ToYaml(Unusual(), /*with_secrets=*/false);
  CHECK(yaml.find("s3cret") == std::string::npos);
  CHECK(yaml.find("password") == std::string::npos);
  const LoadResult result = ParseConfig(yaml, "run");
  REQUIRE(result.error.empty());
  CHECK(result.config.otlp_endpoint == "http://c:4318/v1/traces");
  CHECK(result.config.otlp_headers.empty());
}

TEST_CASE("the effective configuration has one aligned line for each key", "[output]") {
  const LoadResult result = ParseConfig(
      "modules: [app]\n\nmin_duration: 1ms\n"
      "otlp: {endpoint: 'http://u:pw@c:4318', headers: {api-key: s3cret}}\ndir: /runs\n",
      "trace.yaml");
  REQUIRE(result.error.empty());
  const std::string text = FormatEffective(result);
  const auto line = [&](const std::string& key) {
    const size_t begin = ("\n" + text).find("\n" + key + ": ");
    REQUIRE(begin != std::string::npos);
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  CHECK(line("modules") == "modules: [app]                            # trace.yaml:1");
  CHECK(line("min_duration") == "min_duration: 1ms                         # trace.yaml:3");
  CHECK(line("max_depth") == "max_depth: 0                              # default");
  CHECK(line("otlp.headers") == "otlp.headers: ****                        # trace.yaml:4");
  CHECK(line("otlp.endpoint") == "otlp.endpoint: \"http://c:4318/v1/traces\"  # trace.yaml:4");
  CHECK(text.find("s3cret") == std::string::npos);
  CHECK(text.find("pw") == std::string::npos);
  CHECK(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) == ConfigKeys().size());
}

TEST_CASE("text is left plain only where every reader takes it for text", "[output]") {
  CHECK(WriteText("app::run") == "app::run");
  CHECK(WriteText("a.b/c-d_1") == "a.b/c-d_1");
  for (const char* text :
       {"",     "a: b", "a:",  "*x",  "#x",  "-x", "1.5", "0x10", "true", "No",
        "null", "~",    "a b", "[a]", "a,b", "!a", "&a",  "%a",   "@a",   "\u00e4"}) {
    INFO(text);
    CHECK(WriteText(text).front() == '"');
  }
}

}  // namespace
}  // namespace autotrace::filters
