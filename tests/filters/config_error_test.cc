// What a user reads after a mistake, word for word.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "filters/config_loader.h"
#include "tests/support/test_files.h"

namespace autotrace::filters {
namespace {

using test::TemporaryFolder;

std::string FileError(std::string_view yaml) {
  const LoadResult result = ParseConfig(yaml, "trace.yaml");
  CHECK(result.error.find('\n') == std::string::npos);
  // Nothing of a refused file is applied.
  CHECK(result.config.modules.empty());
  return result.error;
}

std::string VariableError(const char* name, const char* value) {
  return LoadConfig(Environment(Environment::Variables{{name, value}})).error;
}

// Of OpenTelemetry's own variables, which are then as if they were not set.
std::string VariableWarning(const char* name, const char* value) {
  const LoadResult result = LoadConfig(Environment(Environment::Variables{{name, value}}));
  CHECK(result.error.empty());
  CHECK(ToYaml(result.config, true) ==
        ToYaml(LoadConfig(Environment(Environment::Variables{})).config, true));
  return result.warnings.size() == 1 ? result.warnings[0] : "";
}

TEST_CASE("an unknown key comes with the nearest known one", "[errors]") {
  const std::string unknown = "found an unknown key, expected one that docs/configuration.md lists";
  CHECK(FileError("modules: [app]\nmin_duraton: 1ms\n") ==
        "trace.yaml:2:1: min_duraton: " + unknown + " (did you mean 'min_duration'?)");
  CHECK(FileError("min-duration: 1ms\n") ==
        "trace.yaml:1:1: min-duration: " + unknown + " (did you mean 'min_duration'?)");
  CHECK(FileError("AUTOTRACE_MODULES: app\n") ==
        "trace.yaml:1:1: AUTOTRACE_MODULES: " + unknown + " (did you mean 'modules'?)");
  CHECK(FileError("headers: {}\n") ==
        "trace.yaml:1:1: headers: " + unknown + " (did you mean 'otlp.headers'?)");
  CHECK(FileError("otlp:\n  timeuot: 1s\n") ==
        "trace.yaml:2:3: otlp.timeuot: " + unknown + " (did you mean 'otlp.timeout'?)");
  CHECK(FileError("colour: red\n") == "trace.yaml:1:1: colour: " + unknown);
  CHECK(FileError("\"a\\nb\\e[1m\": red\n") == "trace.yaml:1:1: a\\nb\\x1b[1m: " + unknown);
}

TEST_CASE("a value of the wrong type is named", "[errors]") {
  CHECK(FileError("enabled: 7\n") ==
        "trace.yaml:1:10: enabled: found \"7\", expected true or false");
  CHECK(FileError("callers: yes\n") ==
        "trace.yaml:1:10: callers: found \"yes\", expected true or false");
  CHECK(FileError("summary: perhaps\n") ==
        "trace.yaml:1:10: summary: found \"perhaps\", expected auto, true or false");
  CHECK(FileError("summary: ture\n") ==
        "trace.yaml:1:10: summary: found \"ture\", expected auto, true or false (did you mean "
        "'true'?)");
  CHECK(FileError("modules: {app: true}\n") ==
        "trace.yaml:1:10: modules: found a map, expected a list of patterns");
  CHECK(FileError("modules:\n") ==
        "trace.yaml:1:9: modules: found nothing, expected a list of patterns");
  CHECK(FileError("modules: [[app]]\n") ==
        "trace.yaml:1:11: modules: found a list, expected a pattern");
  CHECK(FileError("modules:\n  - ns: app\n") ==
        "trace.yaml:2:5: modules: found a map, expected a pattern: write ns:app without the "
        "space");
  CHECK(FileError("min_duration: [1ms]\n") ==
        "trace.yaml:1:15: min_duration: found a list, expected a duration such as 250ns, 10us, "
        "1.5ms, 2s or 0");
  CHECK(FileError("min_duration_for: 1ms\n") ==
        "trace.yaml:1:19: min_duration_for: found \"1ms\", expected a map such as {app::parse: "
        "1ms}");
  CHECK(FileError("pipelines: [app]\n") ==
        "trace.yaml:1:12: pipelines: found a list, expected a map such as {app::import: "
        "nightly-import}");
  CHECK(FileError("pipelines:\n  app:\n") ==
        "trace.yaml:2:7: pipelines: found nothing, expected text");
  CHECK(FileError("max_depth: -1\n") ==
        "trace.yaml:1:12: max_depth: found \"-1\", expected a whole number from 0 to 4294967295");
  CHECK(FileError("quiet_after: 2e3\n") ==
        "trace.yaml:1:14: quiet_after: found \"2e3\", expected auto or a whole number from 0 to "
        "1000000000");
  CHECK(FileError("keep_runs: 0\n") ==
        "trace.yaml:1:12: keep_runs: found \"0\", expected a whole number from 1 to 4294967295");
  CHECK(FileError("service_name:\n") ==
        "trace.yaml:1:14: service_name: found nothing, expected text");
  CHECK(FileError("pipeline_id_key: ''\n") ==
        "trace.yaml:1:18: pipeline_id_key: found \"\", expected the name of an attribute");
  CHECK(FileError("resource_attributes: a=b\n") ==
        "trace.yaml:1:22: resource_attributes: found \"a=b\", expected a map such as {key: value}");
  CHECK(FileError("resource_attributes: {a: [b]}\n") ==
        "trace.yaml:1:26: resource_attributes: found a list, expected text");
  CHECK(FileError("otlp: http://c\n") ==
        "trace.yaml:1:7: otlp: found text, expected a map such as {endpoint: "
        "http://localhost:4318}");
  CHECK(FileError("dir: ~/traces\n") ==
        "trace.yaml:1:6: dir: found \"~/traces\", expected a path in full: ~ is not expanded here");
  CHECK(FileError("dir: ''\n") == "trace.yaml:1:6: dir: found \"\", expected the path of a folder");
  CHECK(FileError("- modules\n") ==
        "trace.yaml:1:1: found a list, expected lines such as modules: [app]");
  CHECK(FileError("modules\n") ==
        "trace.yaml:1:1: found text, expected lines such as modules: [app]");
}

TEST_CASE("a key that stands twice is an error", "[errors]") {
  CHECK(FileError("modules: [app]\nmodules: [lib]\n") ==
        "trace.yaml:2:1: modules: found this key a second time, expected it once");
  CHECK(FileError("min_duration_for: {app: 1s, app: 2s}\n") ==
        "trace.yaml:1:29: app: found this key a second time, expected it once");
  CHECK(FileError("otlp: {timeout: 1s}\notlp.timeout: 2s\n") ==
        "trace.yaml:2:1: otlp.timeout: found this key a second time, expected it once");
}

TEST_CASE("a bad duration or size says what to write", "[errors]") {
  CHECK(FileError("modules: [app]\n\nmin_duration: 0.5\n") ==
        "trace.yaml:3:15: min_duration: found \"0.5\", expected a duration with a unit: write "
        "0.5s or 500ms");
  CHECK(FileError("min_duration_for:\n  app::db: 5\n") ==
        "trace.yaml:2:12: min_duration_for: found \"5\", expected a duration with a unit: write 5s "
        "or 5ms");
  CHECK(FileError("otlp: {timeout: 10}\n") ==
        "trace.yaml:1:17: otlp.timeout: found \"10\", expected a duration with a unit: write 10s "
        "or 10ms");
  CHECK(FileError("max_disk: 1000\n") ==
        "trace.yaml:1:11: max_disk: found \"1000\", expected a size with a unit: write 1000MiB or "
        "1000GiB");
  CHECK(FileError("max_disk: 0\n") ==
        "trace.yaml:1:11: max_disk: found \"0\", expected at least 1MiB");
  CHECK(FileError("ring_size: 64KiB\n") ==
        "trace.yaml:1:12: ring_size: found \"64KiB\", expected at least 1MiB");
}

TEST_CASE("a bad pattern is shown where it stands", "[errors]") {
  CHECK(FileError("modules:\n  - app\n  - a b\n") ==
        "trace.yaml:3:5: modules: found \"a b\", expected a name without spaces: write a,b for two "
        "patterns, a::b for one");
  CHECK(FileError("exclude: ['']\n") ==
        "trace.yaml:1:11: exclude: found \"\", expected a pattern: write for example pipeline, "
        "libstorage.so or src/db/");
  CHECK(FileError("min_duration_for: {'lib:': 1s}\n") ==
        "trace.yaml:1:20: min_duration_for: found \"lib:\", expected a pattern after the prefix: "
        "write for example lib:libstorage.so");
  CHECK(FileError("pipelines: {'app<': x}\n") ==
        "trace.yaml:1:13: pipelines: found \"app<\", expected a closing bracket for each opening "
        "one: write for example app::Box<int>, or app::Box for all arguments");
  std::string many = "min_duration_for:\n";
  for (int index = 0; index < 256; ++index) many += "  f" + std::to_string(index) + ": 1s\n";
  CHECK(FileError(many) ==
        "trace.yaml:2:3: min_duration_for: found 256 patterns, expected at most 255");
}

TEST_CASE("a value that is none of the choices comes with the choices", "[errors]") {
  CHECK(FileError("start: pause\n") ==
        "trace.yaml:1:8: start: found \"pause\", expected running or paused (did you mean "
        "'paused'?)");
  CHECK(FileError("patch: on\n") == "trace.yaml:1:8: patch: found \"on\", expected auto or off");
  CHECK(FileError("min_duration_mode: call\n") ==
        "trace.yaml:1:20: min_duration_mode: found \"call\", expected span or function");
  CHECK(FileError("pipeline_id_on: localroot\n") ==
        "trace.yaml:1:17: pipeline_id_on: found \"localroot\", expected root or local_root (did "
        "you mean 'local_root'?)");
}

TEST_CASE("broken YAML is told in libyaml's words", "[errors]") {
  CHECK(FileError("modules: [app\nexclude: [x]\n") ==
        "trace.yaml:2:8: found broken YAML: while parsing a flow sequence, did not find expected "
        "',' or ']'");
  CHECK(FileError("modules: [*]\n") ==
        "trace.yaml:1:11: found broken YAML: while scanning an alias, did not find expected "
        "alphabetic or numeric character (a value that begins with * needs quotes)");
  CHECK(FileError("modules: *app\n") ==
        "trace.yaml:1:10: found the alias *app, expected a value (one that begins with * needs "
        "quotes)");
}

TEST_CASE("of several mistakes the first in the file is told", "[errors]") {
  CHECK(FileError("ring_size: 1\nenabled: 7\nfoo: 1\n").starts_with("trace.yaml:1:12: ring_size"));
  CHECK(FileError("foo: 1\nenabled: 7\n").starts_with("trace.yaml:1:1: foo"));
}

TEST_CASE("a bad endpoint or header is told without giving secrets away", "[errors]") {
  CHECK(FileError("otlp: {endpoint: 'localhost:4318'}\n") ==
        "trace.yaml:1:18: otlp.endpoint: found \"localhost:4318\", expected a URL that begins with "
        "http:// or https://: write http://localhost:4318");
  CHECK(FileError("otlp: {endpoint: 'grpc://c'}\n") ==
        "trace.yaml:1:18: otlp.endpoint: found \"grpc://c\", expected a URL that begins with "
        "http:// or https://");
  CHECK(FileError("otlp: {endpoint: 'http://:4318'}\n") ==
        "trace.yaml:1:18: otlp.endpoint: found \"http://:4318\", expected a host after http://");
  CHECK(FileError("otlp: {endpoint: 'http://u:pw@c/a b'}\n") ==
        "trace.yaml:1:18: otlp.endpoint: found \"http://c/a b\", expected a URL without spaces, "
        "quotes, <, > and #");
  CHECK(FileError("otlp: {headers: s3cret}\n") ==
        "trace.yaml:1:17: otlp.headers: found text, expected a map such as {key: value}");
  CHECK(FileError("otlp: {headers: {a b: s3cret}}\n") ==
        "trace.yaml:1:17: otlp.headers: found a header name with characters that HTTP does not "
        "allow, expected a name such as api-key");
  CHECK(FileError("otlp: {headers: {a: \"s3cret\\r\\nHost: x\"}}\n") ==
        "trace.yaml:1:17: otlp.headers: found a control character in the value of a, expected one "
        "line of text");
  CHECK(VariableWarning("OTEL_EXPORTER_OTLP_HEADERS", "Authorization s3cret") ==
        "OTEL_EXPORTER_OTLP_HEADERS: found a secret value in another form, expected key=value "
        "pairs with commas between them; ignored");
  CHECK(VariableWarning("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%4") ==
        "OTEL_EXPORTER_OTLP_HEADERS: found a secret value in another form, expected two "
        "hexadecimal digits after each %: write %25 for the character itself; ignored");
  CHECK(VariableWarning("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret\xff") ==
        "OTEL_EXPORTER_OTLP_HEADERS: found other bytes, expected UTF-8 text; ignored");
}

TEST_CASE("a bad value from the environment names its variable", "[errors]") {
  CHECK(VariableError("AUTOTRACE_MIN_DURATION", "5") ==
        "AUTOTRACE_MIN_DURATION: found \"5\", expected a duration with a unit: write 5s or 5ms");
  CHECK(VariableError("AUTOTRACE_MODULES", "app,a b") ==
        "AUTOTRACE_MODULES: found \"a b\", expected a name without spaces: write a,b for two "
        "patterns, a::b for one");
  CHECK(VariableError("AUTOTRACE_MODULES", ",") ==
        "AUTOTRACE_MODULES: found \"\", expected a pattern: write for example pipeline, "
        "libstorage.so or src/db/");
  CHECK(VariableError("AUTOTRACE_ENABLED", "maybe") ==
        "AUTOTRACE_ENABLED: found \"maybe\", expected true or false");
  CHECK(VariableError("AUTOTRACE_PIPELINE_ID", "\xff\x01") ==
        "AUTOTRACE_PIPELINE_ID: found \"\\xff\\x01\", expected UTF-8 text");
  CHECK(VariableWarning("OTEL_RESOURCE_ATTRIBUTES", "a=1,b") ==
        "OTEL_RESOURCE_ATTRIBUTES: found \"b\", expected key=value pairs with commas between them; "
        "ignored");
  CHECK(VariableWarning("OTEL_RESOURCE_ATTRIBUTES", "a=%ff") ==
        "OTEL_RESOURCE_ATTRIBUTES: found \"a=%ff\", expected UTF-8 text; ignored");
  CHECK(VariableWarning("OTEL_EXPORTER_OTLP_TIMEOUT", "10s") ==
        "OTEL_EXPORTER_OTLP_TIMEOUT: found \"10s\", expected a whole number of milliseconds: write "
        "for example 10000; ignored");
  CHECK(VariableWarning("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "c:4318") ==
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: found \"c:4318\", expected a URL that begins with "
        "http:// or https://: write http://c:4318; ignored");
}

TEST_CASE("long and strange values are cut and escaped", "[errors]") {
  CHECK(FileError("min_duration: " + std::string(200, 'x') + "\n") ==
        "trace.yaml:1:15: min_duration: found \"" + std::string(60, 'x') +
            "...\", expected a duration such as 250ns, 10us, 1.5ms, 2s or 0");
  CHECK(FileError("min_duration: \"\\e[31m\\u0085\\n\u00e4\"\n") ==
        "trace.yaml:1:15: min_duration: found \"\\x1b[31m\\xc2\\x85\\n\u00e4\", expected a "
        "duration such as 250ns, 10us, 1.5ms, 2s or 0");
}

TEST_CASE("a file that cannot be read is told with the system's reason", "[errors]") {
  const TemporaryFolder folder;
  const auto error = [](const std::string& path) {
    return LoadConfig(Environment(Environment::Variables{{"AUTOTRACE_CONFIG", path}})).error;
  };
  CHECK(error(folder.path() + "/none.yaml") ==
        folder.path() + "/none.yaml: cannot be read: No such file or directory");
  CHECK(error(folder.path()) == folder.path() + ": cannot be read: Is a directory");
  const std::string fifo = folder.path() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(error(fifo) == fifo + ": cannot be read: not a regular file");
  const std::string large = folder.Write("large.yaml", std::string(10 << 20, '#'));
  CHECK(error(large) == large + ": is larger than 1MiB");
  if (geteuid() != 0) {
    const std::string closed = folder.Write("closed.yaml", "modules: [app]\n");
    REQUIRE(chmod(closed.c_str(), 0) == 0);
    CHECK(error(closed) == closed + ": cannot be read: Permission denied");
  }
}

}  // namespace
}  // namespace autotrace::filters
