#include "cli/function_report.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cli/strings.h"
#include "span_builder.h"

namespace autotrace::cli {
namespace {

std::vector<FunctionTimes> Times(const SpanBuilder& builder,
                                 ReportOrder order = ReportOrder::kTotal) {
  SpanTable table;
  builder.Fill(&table);
  std::vector<FunctionTimes> times = TimesPerFunction(table);
  SortTimes(order, &times);
  return times;
}

const FunctionTimes& Of(const std::vector<FunctionTimes>& times, const std::string& name) {
  for (const FunctionTimes& function : times) {
    if (function.name == name) return function;
  }
  FAIL("no function " << name);
  return times[0];
}

TEST_CASE("self time is a function's time without its direct children") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 100);
  builder.Add("a", 1, 10, 40);
  builder.Add("b", 2, 20, 30);
  builder.Add("a", 1, 50, 70);
  const auto times = Times(builder);
  CHECK(Of(times, "run").total == 100);
  CHECK(Of(times, "run").self == 50);
  CHECK(Of(times, "a").calls.count() == 2);
  CHECK(Of(times, "a").total == 50);
  CHECK(Of(times, "a").self == 40);
  CHECK(Of(times, "a").calls.mean() == 25);
  CHECK(Of(times, "a").calls.max() == 30);
  CHECK(Of(times, "b").self == 10);
}

TEST_CASE("a child on another thread does not shorten its parent's self time") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 100);
  builder.AddThread("worker");
  builder.Add("work", 1, 10, 90);
  CHECK(Of(Times(builder), "run").self == 100);
}

TEST_CASE("a child that outlives its parent takes only what it has of its time") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 100);
  builder.Add("async", 1, 80, 300);
  CHECK(Of(Times(builder), "run").self == 80);
}

TEST_CASE("recursion is counted once in the total") {
  SpanBuilder builder;
  builder.Add("outer", 0, 0, 1000);
  builder.Add("walk", 1, 0, 500);
  builder.Add("walk", 2, 100, 400);
  builder.Add("visit", 3, 150, 350);
  builder.Add("walk", 4, 200, 300);  // indirectly recursive
  builder.Add("walk", 1, 600, 700);  // a call of its own again
  const auto times = Times(builder);
  CHECK(Of(times, "walk").calls.count() == 4);
  CHECK(Of(times, "walk").total == 600);
  CHECK(Of(times, "walk").self == 200 + 100 + 100 + 100);
  CHECK(Of(times, "visit").total == 200);
}

TEST_CASE("each order puts its largest function first") {
  SpanBuilder builder;
  builder.Add("long", 0, 0, 1000);
  builder.Add("busy", 1, 0, 900);
  for (uint64_t i = 0; i < 5; ++i) builder.Add("often", 1, 900 + i, 901 + i);
  CHECK(Times(builder, ReportOrder::kTotal)[0].name == "long");
  CHECK(Times(builder, ReportOrder::kSelf)[0].name == "busy");
  CHECK(Times(builder, ReportOrder::kCalls)[0].name == "often");
  CHECK(Times(builder, ReportOrder::kMax)[0].name == "long");
  CHECK(Times(builder, ReportOrder::kMean)[0].name == "long");
}

TEST_CASE("manual and automatic spans of one name are reported apart") {
  SpanBuilder builder;
  builder.Add("load", 0, 0, 10);
  builder.Add("load", 0, 20, 50).manual = true;
  const auto times = Times(builder);
  REQUIRE(times.size() == 2);
  CHECK(times[0].manual);
  CHECK(times[0].total == 30);
  CHECK_FALSE(times[1].manual);
}

TEST_CASE("the report's table is aligned and says what it leaves out") {
  SpanBuilder builder;
  builder.Add("app::run", 0, 0, 1'500'000);
  builder.Add("app::parse", 1, 0, 500).error = true;
  builder.Add("app::tail", 1, 600, 601);
  std::vector<std::string> lines;
  const LineSink keep = [&](std::string_view line) { lines.emplace_back(line); };
  PrintReport(Times(builder), 2, 0, false, keep);
  CHECK(lines == std::vector<std::string>{
                     "calls    total     self     mean      p50      p99      max  function",
                     "    1  1.50 ms  1.50 ms  1.50 ms  1.50 ms  1.50 ms  1.50 ms  app::run",
                     "    1   500 ns   500 ns   500 ns   500 ns   500 ns   500 ns  app::parse  "
                     "1 error",
                     "… 1 more function (--top 0)",
                 });
}

}  // namespace
}  // namespace autotrace::cli
