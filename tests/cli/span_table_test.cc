#include "cli/span_table.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "span_builder.h"

namespace autotrace::cli {
namespace {

std::vector<std::string> NamesOf(const SpanTable& table, std::span<const SpanIndex> spans) {
  std::vector<std::string> names;
  for (const SpanIndex span : spans) names.emplace_back(table.NameOf(table[span]));
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("children that arrive before their parents hang below them by start time") {
  SpanBuilder builder;
  builder.Add("root", 0, 0, 100);
  builder.Add("late", 1, 50, 90);
  builder.Add("early", 1, 10, 40);
  builder.Add("inner", 3, 20, 30);
  SpanTable table;
  builder.Fill(&table);
  REQUIRE(NamesOf(table, table.Roots()) == Names{"root"});
  const SpanIndex root = table.Roots()[0];
  REQUIRE(NamesOf(table, table.Children(root)) == Names{"early", "late"});
  CHECK(NamesOf(table, table.Children(table.Children(root)[0])) == Names{"inner"});
  CHECK(table.Children(table.Children(root)[1]).empty());
}

TEST_CASE("a span whose parent is missing is a root that says so") {
  SpanBuilder builder;
  builder.Add("orphan", 77, 0, 10);
  builder.Add("served", 78, 20, 30).parent_is_remote = true;
  SpanTable table;
  builder.Fill(&table);
  REQUIRE(NamesOf(table, table.Roots()) == Names{"orphan", "served"});
  CHECK(table[table.Roots()[0]].has(SpanTable::kLostParent));
  CHECK_FALSE(table[table.Roots()[1]].has(SpanTable::kLostParent));
  CHECK(table[table.Roots()[1]].has(SpanTable::kRemoteParent));
}

TEST_CASE("damaged parents that form a ring lose no span") {
  SpanBuilder builder;
  builder.Add("a", 2, 0, 10);
  builder.Add("b", 3, 0, 10);
  builder.Add("c", 1, 0, 10);
  SpanTable table;
  builder.Fill(&table);
  REQUIRE(table.Roots().size() == 1);
  size_t reachable = 0;
  for (std::span<const SpanIndex> level = table.Roots(); !level.empty();
       level = table.Children(level[0])) {
    ++reachable;
  }
  CHECK(reachable == 3);
}

TEST_CASE("only the spans of a chosen trace are kept") {
  SpanBuilder builder;
  builder.Add("wanted", 0, 0, 10).trace_id = MakeTraceId(0xab);
  builder.Add("other", 0, 0, 10).trace_id = MakeTraceId(0xcd);
  SpanTable table("ABAB");
  builder.Fill(&table);
  CHECK(NamesOf(table, table.Roots()) == Names{"wanted"});
  CHECK(table.trace_count() == 1);
}

TEST_CASE("a span that ends before it starts has no duration") {
  SpanBuilder builder;
  builder.Add("backwards", 0, 10, 5);
  SpanTable table;
  builder.Fill(&table);
  CHECK(table[0].duration_nanos == 0);
}

}  // namespace
}  // namespace autotrace::cli
