#include "filters/function_filter.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "filters/known_function.h"

namespace autotrace::filters {
namespace {

Config WithModules(Strings modules) {
  Config config;
  config.modules = std::move(modules);
  return config;
}

Decision Decided(const FunctionFilter& filter, std::string_view name) {
  return filter.Decide(KnownFunction(name, "/opt/prog"));
}

TEST_CASE("without modules nothing is recorded", "[filter]") {
  const FunctionFilter filter{Config()};
  const Decision decision = Decided(filter, "app::run");
  CHECK(decision.verdict == Verdict::kHide);
  CHECK(decision.reason == Reason::kNotMatched);
  CHECK(decision.pattern == nullptr);
  CHECK(Describe(decision) == "hidden: matched by no pattern");
}

TEST_CASE("a function that modules match is recorded", "[filter]") {
  const FunctionFilter filter(WithModules({"lib", "app"}));
  const Decision decision = Decided(filter, "app::run");
  CHECK(decision.verdict == Verdict::kRecord);
  CHECK(decision.reason == Reason::kMatched);
  REQUIRE(decision.pattern != nullptr);
  CHECK(decision.pattern->text() == "app");
  CHECK(decision.threshold_class == 0);
  CHECK_FALSE(decision.starts_trace);
  CHECK(Describe(decision) == "recorded: matched by 'app'");
  CHECK(Decided(filter, "other::run").verdict == Verdict::kHide);
}

// Counts how often its name is asked for.
class CountedFunction final : public Function {
 public:
  std::string_view name() const override {
    ++names;
    return "app::run";
  }
  std::string_view module_path() const override { return "/opt/libapp.so"; }
  std::string_view source_file() const override { return "/src/run.cc"; }
  bool compiler_made() const override { return false; }

  mutable int names = 0;
};

TEST_CASE("a name is asked for only when a pattern looks at it, since making it costs",
          "[filter]") {
  const std::string pattern = GENERATE("*", "lib:libapp.so", "src:run.cc");
  CountedFunction function;
  CHECK(FunctionFilter(WithModules({pattern})).Decide(function).verdict == Verdict::kRecord);
  CHECK(function.names == 0);
  CHECK(FunctionFilter(WithModules({pattern, "app"})).Decide(function).verdict == Verdict::kRecord);
  CHECK(function.names == 1);
}

TEST_CASE("exclusions win over modules, even over one that names the function", "[filter]") {
  Config config = WithModules({"app", "app::run", "app::pool::wait"});
  config.exclude = {"app::run"};
  config.exclude_subtree = {"app::pool"};
  const FunctionFilter filter(config);

  const Decision excluded = Decided(filter, "app::run");
  CHECK(excluded.verdict == Verdict::kHide);
  CHECK(excluded.reason == Reason::kExcluded);
  CHECK(Describe(excluded) == "hidden: excluded by 'app::run'");

  const Decision subtree = Decided(filter, "app::pool::wait");
  CHECK(subtree.verdict == Verdict::kHideSubtree);
  CHECK(subtree.reason == Reason::kExcludedSubtree);
  CHECK(Describe(subtree) == "hidden with all it calls: excluded by 'app::pool'");

  CHECK(Decided(filter, "app::other").verdict == Verdict::kRecord);
}

TEST_CASE("exclude_subtree also cuts below functions that modules do not match", "[filter]") {
  Config config = WithModules({"app"});
  config.exclude_subtree = {"lib::noise"};
  CHECK(Decided(FunctionFilter(config), "lib::noise").verdict == Verdict::kHideSubtree);
}

TEST_CASE("exclude_subtree wins over exclude", "[filter]") {
  Config config = WithModules({"app"});
  config.exclude = {"app::f"};
  config.exclude_subtree = {"app::f"};
  CHECK(Decided(FunctionFilter(config), "app::f").verdict == Verdict::kHideSubtree);
}

class AskedFunction final : public Function {
 public:
  explicit AskedFunction(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  std::string_view module_path() const override { return "/opt/prog"; }
  std::string_view source_file() const override {
    ++source_questions;
    return "/src/a.cc";
  }
  bool compiler_made() const override {
    ++compiler_made_questions;
    return true;
  }

  mutable int compiler_made_questions = 0;
  mutable int source_questions = 0;

 private:
  std::string_view name_;
};

TEST_CASE("compiler-made functions are left out unless asked for", "[filter]") {
  Config config = WithModules({"app"});
  const FunctionFilter filter(config);
  const Decision hidden = filter.Decide(AskedFunction("app::A::A"));
  CHECK(hidden.verdict == Verdict::kHide);
  CHECK(hidden.reason == Reason::kCompilerMade);
  CHECK(Describe(hidden) == "hidden: made by the compiler (compiler_made: true brings it back)");
  config.compiler_made = true;
  CHECK(FunctionFilter(config).Decide(AskedFunction("app::A::A")).verdict == Verdict::kRecord);
}

TEST_CASE("whether the compiler made a function is asked only when it matters", "[filter]") {
  Config config = WithModules({"app"});
  config.exclude = {"app::hidden"};
  const AskedFunction unmatched("lib::f"), excluded("app::hidden"), matched("app::f");
  const FunctionFilter filter(config);
  filter.Decide(unmatched);
  filter.Decide(excluded);
  CHECK(unmatched.compiler_made_questions == 0);
  CHECK(excluded.compiler_made_questions == 0);
  filter.Decide(matched);
  CHECK(matched.compiler_made_questions == 1);
  CHECK(matched.source_questions == 0);

  config.compiler_made = true;
  const AskedFunction wanted("app::f");
  FunctionFilter(config).Decide(wanted);
  CHECK(wanted.compiler_made_questions == 0);
}

TEST_CASE("the source file is asked for once however many patterns look at it", "[filter]") {
  Config config = WithModules({"a.cc", "src/", "b.cc"});
  config.exclude = {"c.cc"};
  const AskedFunction function("f");
  FunctionFilter(config).Decide(function);
  CHECK(function.source_questions == 1);
}

TEST_CASE("the last min_duration_for pattern that matches gives the threshold", "[filter]") {
  Config config = WithModules({"app"});
  config.min_duration = 1000;
  config.min_duration_for = {{"app::db", 5000}, {"app::db::get", 0}, {"app::log", 5000}};
  const FunctionFilter filter(config);
  const auto threshold = [&](std::string_view name) {
    return filter.thresholds()[Decided(filter, name).threshold_class];
  };
  CHECK(threshold("app::run") == 1000);
  CHECK(threshold("app::db::put") == 5000);
  CHECK(threshold("app::db::get") == 0);
  CHECK(threshold("app::log::write") == 5000);
  // Equal durations share a class.
  CHECK(filter.thresholds() == std::vector<uint64_t>{1000, 5000, 0});
}

TEST_CASE("as many thresholds as the loader allows each get their class", "[filter]") {
  Config config = WithModules({"app"});
  for (int index = 0; index < 255; ++index) {
    config.min_duration_for.emplace_back("app::f" + std::to_string(index), index + 1);
  }
  const FunctionFilter filter(config);
  REQUIRE(filter.thresholds().size() == 256);
  const Decision decision = Decided(filter, "app::f254");
  CHECK(filter.thresholds()[decision.threshold_class] == 255);
}

TEST_CASE("roots start traces, lambdas inside of them do not", "[filter]") {
  Config config = WithModules({"app"});
  config.roots = {"app::Server::handle", "app::jobs"};
  const FunctionFilter filter(config);
  CHECK(Decided(filter, "app::Server::handle").starts_trace);
  CHECK(Decided(filter, "app::Server::handle").verdict == Verdict::kRecord);
  CHECK(Decided(filter, "app::jobs::nightly").starts_trace);
  CHECK_FALSE(Decided(filter, "app::Server::accept").starts_trace);
  CHECK_FALSE(Decided(filter, "app::Server::handle()::{lambda()#1}::operator()").starts_trace);
}

TEST_CASE("main is no span in live export unless a pattern names it exactly", "[filter]") {
  Config config = WithModules({"*"});
  CHECK(Decided(FunctionFilter(config), "main").verdict == Verdict::kRecord);

  config.otlp_endpoint = "http://localhost:4318/v1/traces";
  const FunctionFilter live(config);
  const Decision hidden = Decided(live, "main");
  CHECK(hidden.verdict == Verdict::kHide);
  CHECK(hidden.reason == Reason::kEntryFunction);
  CHECK(Decided(FunctionFilter(config), "app::main").verdict == Verdict::kRecord);

  config.modules = {"prog"};  // the binary's name
  CHECK(Decided(FunctionFilter(config), "main").verdict == Verdict::kHide);

  config.modules = {"*", "main"};
  const FunctionFilter exact(config);
  const Decision named = Decided(exact, "main");
  CHECK(named.verdict == Verdict::kRecord);
  CHECK(named.named_exactly);
  CHECK(named.pattern->text() == "main");
}

TEST_CASE("patterns that matched nothing are named with their setting", "[filter]") {
  Config config = WithModules({"app", "pipline", "app::run"});
  config.exclude = {"app::run", "lib"};
  config.exclude_subtree = {"x"};
  config.roots = {"y"};
  config.min_duration_for = {{"app::run", 1}, {"z", 2}};
  const FunctionFilter filter(config);
  // app::run is excluded, and still "pattern that matched".
  Decided(filter, "app::run");
  std::vector<std::string> unmatched;
  for (const UnmatchedPattern& pattern : filter.UnmatchedPatterns()) {
    unmatched.push_back(pattern.text());
  }
  CHECK(unmatched == std::vector<std::string>{"modules: pipline", "exclude: lib",
                                              "exclude_subtree: x", "roots: y",
                                              "min_duration_for: z"});
}

TEST_CASE("several threads may ask at once", "[filter]") {
  Config config = WithModules({"app", "lib*"});
  config.exclude = {"app::quiet"};
  const FunctionFilter filter(config);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        if (Decided(filter, "app::run").verdict != Verdict::kRecord) ++wrong;
        if (Decided(filter, "app::quiet::f").verdict != Verdict::kHide) ++wrong;
        if (Decided(filter, "library::f").verdict != Verdict::kRecord) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(filter.UnmatchedPatterns().empty());
}

}  // namespace
}  // namespace autotrace::filters
