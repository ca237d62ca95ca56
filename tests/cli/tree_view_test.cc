#include "cli/tree_view.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cli/strings.h"
#include "cli/text_format.h"
#include "span_builder.h"

namespace autotrace::cli {
namespace {

constexpr uint64_t kMicrosecond = 1000;

std::vector<std::string> Render(const SpanTable& table, const TreeOptions& options = {}) {
  std::vector<std::string> lines;
  PrintTree(table, options, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

std::vector<std::string> Render(const SpanBuilder& builder, const TreeOptions& options = {}) {
  SpanTable table;
  builder.Fill(&table);
  return Render(table, options);
}

using Lines = std::vector<std::string>;

TEST_CASE("a tree shows durations, branches and names") {
  SpanBuilder builder;
  builder.Add("app::run", 0, 0, 512'000'000);
  builder.Add("app::extract", 1, 1000, 210'001'000);
  builder.Add("app::parse", 2, 2000, 99'000);
  builder.Add("app::load", 1, 300'000'000, 301'200'000);
  CHECK(Render(builder) == Lines{
                               " duration  span",
                               "   512 ms  app::run",
                               "   210 ms  ├─ app::extract",
                               "  97.0 µs  │  └─ app::parse",
                               "  1.20 ms  └─ app::load",
                           });
}

// ten calls of process_record, the fourth one the slowest, each with a call of its own.
SpanBuilder RepeatedCalls() {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 2'000 * kMicrosecond);
  for (uint64_t i = 0; i < 10; ++i) {
    const uint64_t start = (1 + i * 100) * kMicrosecond;
    const uint64_t duration = (i == 3 ? 50 : i + 1) * kMicrosecond;
    builder.Add("process_record", 1, start, start + duration);
    builder.Add(Concat("step", i), builder.last_id(), start, start + duration / 2);
  }
  builder.Add("finish", 1, 1'500 * kMicrosecond, 1'600 * kMicrosecond);
  return builder;
}

TEST_CASE("repeated siblings fold into one line with the slowest one below") {
  CHECK(Render(RepeatedCalls()) ==
        Lines{
            " duration  span",
            "  2.00 ms  run",
            "   101 µs  ├─ process_record ×10  total 101 µs  p50 6.00 µs  p99 50.0 µs  max 50.0 µs",
            "  25.0 µs  │  └─ step3",
            "   100 µs  └─ finish",
        });
}

TEST_CASE("every span gets a line with --all") {
  TreeOptions options;
  options.fold = false;
  const Lines lines = Render(RepeatedCalls(), options);
  CHECK(lines.size() == 1 + 1 + 20 + 1);
  CHECK(lines[2] == "  1.00 µs  ├─ process_record");
  CHECK(lines[3] == "   500 ns  │  └─ step0");
}

TEST_CASE("equal roots of several traces fold, too") {
  SpanBuilder builder;
  for (uint8_t i = 0; i < 3; ++i) {
    builder.Add("handle", 0, i * 1000, i * 1000 + 100 * (i + 1)).trace_id = MakeTraceId(i + 1);
  }
  CHECK(Render(builder) ==
        Lines{" duration  span",
              "   600 ns  handle ×3  total 600 ns  p50 200 ns  p99 300 ns  max 300 ns  "
              "trace 03030303"});
}

TEST_CASE("roots of different pipelines stay apart and say which one they are") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 10).pipeline_id = "nightly";
  builder.Add("run", 0, 20, 40).pipeline_id = "hourly";
  CHECK(Render(builder) == Lines{" duration  span", "    10 ns  run  pipeline nightly",
                                 "    20 ns  run  pipeline hourly"});
}

TEST_CASE("manual spans show their attributes") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 100);
  exporter::Span& manual = builder.Add("Enrichment", 1, 0, 100);
  manual.manual = true;
  manual.attributes = {{"source", std::string("iso\ncodes")},
                       {"languages", int64_t{7910}},
                       {"ratio", 0.25},
                       {"cached", false}};
  CHECK(Render(builder)[2] ==
        "   100 ns  └─ Enrichment  manual  source=iso\\ncodes  languages=7910  ratio=0.25  "
        "cached=false");
}

TEST_CASE("errors, unfinished spans and other threads are marked") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 100).unfinished = true;
  builder.Add("throws", 1, 0, 10).error = true;
  builder.Add("throws", 1, 10, 20);
  builder.AddThread("worker");
  builder.Add("work", 1, 30, 40);
  const Lines lines = Render(builder);
  CHECK(lines[1] == "   100 ns  run  unfinished");
  CHECK(Contains(lines[2], "throws ×2"));
  CHECK(lines[2].ends_with("1 error"));
  CHECK(lines[3] == "    10 ns  └─ work  on worker");
}

TEST_CASE("callers are shown when asked for") {
  SpanBuilder builder;
  const exporter::CallSite caller{"main (main.cc:12)"};
  builder.Add("run", 0, 0, 100).caller = &caller;
  TreeOptions options;
  CHECK(Render(builder, options)[1] == "   100 ns  run");
  options.callers = true;
  CHECK(Render(builder, options)[1] == "   100 ns  run  called from main (main.cc:12)");
}

TEST_CASE("no line is wider than asked for") {
  SpanBuilder builder;
  const std::string long_name =
      "company::product::detail::Transformer<std::vector<int>, std::map<int, long>>::operator()";
  builder.Add("run", 0, 0, 1'000'000).pipeline_id = "6f1e9d1c-6f0f-4a43-9df4-1c2b8f3f7a10";
  for (uint64_t depth = 1; depth <= 60; ++depth) {
    exporter::Span& span =
        builder.Add(Concat(long_name, depth), depth, depth * 10, 900'000 - depth * 10);
    span.manual = depth % 7 == 0;
    if (span.manual) span.attributes = {{"key", std::string(300, 'x')}, {"other", true}};
  }
  for (uint64_t i = 0; i < 3; ++i) builder.Add(long_name, 61, 5000 + i * 100, 5050 + i * 100);
  for (const size_t columns : {40, 60, 100, 200}) {
    TreeOptions options;
    options.columns = columns;
    const Lines lines = Render(builder, options);
    CHECK(lines.size() >= 62);
    for (const std::string& line : lines) {
      CAPTURE(columns, line);
      CHECK(DisplayWidth(line) <= columns);
    }
  }
}

TEST_CASE("what does not fit behind a name stands below it, in whole") {
  SpanBuilder builder;
  const std::string name(70, 'n');
  const std::string id = "6f1e9d1c-6f0f-4a43-9df4-1c2b8f3f7a10";
  builder.Add(name, 0, 0, 100).pipeline_id = id;
  builder.Add("child", 1, 0, 100);
  CHECK(Render(builder) == Lines{" duration  span", "   100 ns  " + name,
                                 "           │    pipeline " + id, "   100 ns  └─ child"});
}

TEST_CASE("a limit counts every line and says how many are left out") {
  SpanBuilder builder;
  builder.Add("run", 0, 0, 1000);
  for (uint64_t i = 0; i < 20; ++i) builder.Add(Concat("call", i), 1, i, i + 1);
  TreeOptions options;
  options.heading = {"run x"};
  options.max_lines = 10;
  const Lines cut = Render(builder, options);
  REQUIRE(cut.size() == 10);
  CHECK(cut[0] == "run x");
  CHECK(cut[8] == "     1 ns  ├─ call5");
  CHECK(cut[9] == "… 14 more lines (--all)");

  options.max_lines = 23;  // exactly what there is
  const Lines whole = Render(builder, options);
  CHECK(whole.size() == 23);
  CHECK(whole.back() == "     1 ns  └─ call19");
}

TEST_CASE("what is deeper is left out with --depth") {
  SpanBuilder builder;
  builder.Add("a", 0, 0, 100);
  builder.Add("b", 1, 0, 100);
  builder.Add("c", 2, 0, 100);
  TreeOptions options;
  options.max_depth = 2;
  CHECK(Render(builder, options).size() == 3);
}

TEST_CASE("colour is used only when asked for") {
  TreeOptions options;
  for (const std::string& line : Render(RepeatedCalls(), options)) {
    CHECK_FALSE(Contains(line, "\033"));
  }
  options.colour = true;
  CHECK(Contains(Render(RepeatedCalls(), options)[1], "\033["));
}

TEST_CASE("a recursion of a hundred thousand calls is printed") {
  SpanBuilder builder;
  constexpr uint64_t kDepth = 100'000;
  for (uint64_t depth = 0; depth < kDepth; ++depth) {
    builder.Add("recurse", depth, depth, 3 * kDepth - depth);
  }
  TreeOptions options;
  options.max_lines = 50;
  const Lines lines = Render(builder, options);
  REQUIRE(lines.size() == 50);
  CHECK(Contains(lines[40], "[39]"));
  CHECK(lines.back() == "… 99,952 more lines (--all)");
}

}  // namespace
}  // namespace autotrace::cli
