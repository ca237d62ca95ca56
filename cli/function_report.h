// Time per function, computed from a SpanTable.
//
//   calls   spans of this name
//   total   time during which the function was open: recursive calls inside it are not added again
//   self    time of its calls minus their direct children on the same thread
//   mean, p50, p99, max   of the single calls
#ifndef AUTOTRACE_CLI_FUNCTION_REPORT_H_
#define AUTOTRACE_CLI_FUNCTION_REPORT_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "cli/span_table.h"
#include "cli/statistics.h"
#include "cli/terminal.h"

namespace autotrace::cli {

struct FunctionTimes {
  std::string name;
  bool manual = false;
  uint64_t total = 0;  // nanoseconds, as all times here
  uint64_t self = 0;
  uint64_t errors = 0;
  uint64_t unfinished = 0;
  Statistics calls;
};

// One for each name, manual and automatic spans apart; by first appearance in the table.
std::vector<FunctionTimes> TimesPerFunction(const SpanTable& table);

enum class ReportOrder : uint8_t { kTotal, kSelf, kCalls, kMax, kMean };

// Largest first; equal ones by name.
void SortTimes(ReportOrder order, std::vector<FunctionTimes>* functions);

// A table with a heading. At most `top` functions (0: all); names are cut to `columns` (0: never).
void PrintReport(const std::vector<FunctionTimes>& functions, size_t top, size_t columns,
                 bool colour, const LineSink& output);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_FUNCTION_REPORT_H_
