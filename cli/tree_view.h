// Prints the trees of a SpanTable for people, one line per span or per group of repeated spans.
//
//    duration  span
//      512 ms  app::run  pipeline 6f1e9d1c-6f0f-4a43-9df4-1c2b8f3f7a10
//      210 ms  ├─ app::extract
//     41.2 ms  │  └─ app::process_record ×7910  total 41.2 ms  p50 4.84 µs  p99 12.1 µs  max 98 µs
//     97.2 µs  │     └─ app::parse
//     1.20 ms  └─ Manual Enrichment  manual  source=iso-codes  languages=7910
//
// Siblings of one name are folded: the line stands where the first of them began, and what follows
// below it is the slowest one. Roots are siblings too. Lines are never longer than the width given:
// notes that do not fit continue below, names lose their middle.
#ifndef AUTOTRACE_CLI_TREE_VIEW_H_
#define AUTOTRACE_CLI_TREE_VIEW_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "cli/span_table.h"
#include "cli/terminal.h"

namespace autotrace::cli {

struct TreeOptions {
  bool fold = true;
  bool callers = false;
  // Levels shown; 0: all.
  size_t max_depth = 0;
  // Lines printed at most, `heading` and closing notes included; 0: no limit.
  uint64_t max_lines = 0;
  size_t columns = kDefaultColumns;
  bool colour = false;
  // Printed first, one line each; cut to the width.
  std::vector<std::string> heading;
};

void PrintTree(const SpanTable& table, const TreeOptions& options, const LineSink& output);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_TREE_VIEW_H_
