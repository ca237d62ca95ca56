#include "filters/pipeline_rules.h"

#include <catch2/catch.hpp>

#include "filters/known_function.h"

namespace autotrace::filters {
namespace {

TEST_CASE("the first pipelines pattern that matches the root gives the id", "[pipelines]") {
  Config config;
  config.pipeline_id = "general";
  config.pipelines = {{"app::import::nightly", "nightly"}, {"app::import", "import"}, {"*.c", "c"}};
  const PipelineRules rules(config);
  CHECK(rules.IdFor(KnownFunction("app::import::nightly")) == "nightly");
  CHECK(rules.IdFor(KnownFunction("app::import::now")) == "import");
  CHECK(rules.IdFor(KnownFunction("run", "/bin/p", "/src/run.c")) == "c");
  CHECK(rules.IdFor(KnownFunction("app::other")) == "general");
  CHECK(rules.general_id() == "general");
}

TEST_CASE("without settings there is no pipeline id", "[pipelines]") {
  CHECK(PipelineRules(Config()).IdFor(KnownFunction("main")).empty());
}

TEST_CASE("an empty id takes the general one away", "[pipelines]") {
  Config config;
  config.pipeline_id = "general";
  config.pipelines = {{"app::test", ""}};
  CHECK(PipelineRules(config).IdFor(KnownFunction("app::test")).empty());
}

}  // namespace
}  // namespace autotrace::filters
