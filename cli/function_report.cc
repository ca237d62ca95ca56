#include "cli/function_report.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "cli/strings.h"
#include "cli/text_format.h"

namespace autotrace::cli {
namespace {

uint64_t EndOf(const SpanTable::Entry& entry) {
  return entry.start_unix_nanos + entry.duration_nanos;
}

// How much of `parent`'s time its direct children on the same thread take.
uint64_t TimeOfChildren(const SpanTable& table, SpanIndex parent) {
  const SpanTable::Entry& outer = table[parent];
  uint64_t time = 0;
  for (const SpanIndex child : table.Children(parent)) {
    const SpanTable::Entry& inner = table[child];
    if (inner.thread != outer.thread) continue;
    // A manual span may end after its parent.
    const uint64_t begin = std::max(inner.start_unix_nanos, outer.start_unix_nanos);
    const uint64_t end = std::min(EndOf(inner), EndOf(outer));
    if (end > begin) time += end - begin;
  }
  return time;
}

// Walks the trees and knows of which functions a call is open.
class Walk {
 public:
  explicit Walk(const SpanTable& table)
      : table_(table), numbers_(2 * table.name_count(), kNoNumber) {}

  std::vector<FunctionTimes> Run() {
    Enter(table_.Roots());
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next == level.siblings.size()) {
        levels_.pop_back();
        if (!levels_.empty()) --open_calls_[levels_.back().open];
        continue;
      }
      const SpanIndex span = level.siblings[level.next++];
      level.open = Count(span);
      ++open_calls_[level.open];
      Enter(table_.Children(span));
    }
    return std::move(functions_);
  }

 private:
  static constexpr uint32_t kNoNumber = ~uint32_t{0};
  struct Level {
    std::span<const SpanIndex> siblings;
    size_t next = 0;
    uint32_t open = kNoNumber;  // the function of the sibling whose children are walked
  };

  void Enter(std::span<const SpanIndex> siblings) { levels_.push_back({siblings}); }

  // Returns the function's number.
  uint32_t Count(SpanIndex span) {
    const SpanTable::Entry& entry = table_[span];
    const uint32_t number = NumberOf(entry);
    FunctionTimes& function = functions_[number];
    function.calls.Add(entry.duration_nanos);
    if (open_calls_[number] == 0) function.total += entry.duration_nanos;
    const uint64_t of_children = TimeOfChildren(table_, span);
    if (entry.duration_nanos > of_children) function.self += entry.duration_nanos - of_children;
    function.errors += entry.has(SpanTable::kError) ? 1 : 0;
    function.unfinished += entry.has(SpanTable::kUnfinished) ? 1 : 0;
    return number;
  }

  uint32_t NumberOf(const SpanTable::Entry& entry) {
    const bool manual = entry.has(SpanTable::kManual);
    uint32_t& number = numbers_[2 * size_t{entry.name} + (manual ? 1 : 0)];
    if (number == kNoNumber) {
      number = static_cast<uint32_t>(functions_.size());
      FunctionTimes function;
      function.name = std::string(table_.NameOf(entry));
      function.manual = manual;
      functions_.push_back(std::move(function));
      open_calls_.push_back(0);
    }
    return number;
  }

  const SpanTable& table_;
  std::vector<uint32_t> numbers_;  // by the name's number in the table, manual or not
  std::vector<FunctionTimes> functions_;
  std::vector<uint32_t> open_calls_;
  std::vector<Level> levels_;
};

uint64_t SortKey(ReportOrder order, const FunctionTimes& function) {
  switch (order) {
    case ReportOrder::kTotal:
      return function.total;
    case ReportOrder::kSelf:
      return function.self;
    case ReportOrder::kCalls:
      return function.calls.count();
    case ReportOrder::kMax:
      return function.calls.max();
    case ReportOrder::kMean:
      return function.calls.mean();
  }
  return 0;
}

using Row = std::array<std::string, 7>;

Row RowOf(const FunctionTimes& function) {
  const Statistics& calls = function.calls;
  return {HumanCount(calls.count()),           HumanDuration(function.total),
          HumanDuration(function.self),        HumanDuration(calls.mean()),
          HumanDuration(calls.Percentile(50)), HumanDuration(calls.Percentile(99)),
          HumanDuration(calls.max())};
}

std::string MarksOf(const FunctionTimes& function) {
  std::string marks;
  if (function.manual) marks += "  manual";
  if (function.errors > 0) marks += Concat("  ", Counted(function.errors, "error"));
  if (function.unfinished > 0) {
    marks += Concat("  ", HumanCount(function.unfinished), " unfinished");
  }
  return marks;
}

}  // namespace

std::vector<FunctionTimes> TimesPerFunction(const SpanTable& table) { return Walk(table).Run(); }

void SortTimes(ReportOrder order, std::vector<FunctionTimes>* functions) {
  std::sort(functions->begin(), functions->end(),
            [order](const FunctionTimes& a, const FunctionTimes& b) {
              const uint64_t key_a = SortKey(order, a);
              const uint64_t key_b = SortKey(order, b);
              return key_a != key_b ? key_a > key_b : a.name < b.name;
            });
}

void PrintReport(const std::vector<FunctionTimes>& functions, size_t top, size_t columns,
                 bool colour, const LineSink& output) {
  const size_t shown = top == 0 ? functions.size() : std::min(top, functions.size());
  std::vector<Row> rows = {{"calls", "total", "self", "mean", "p50", "p99", "max"}};
  for (size_t i = 0; i < shown; ++i) rows.push_back(RowOf(functions[i]));
  std::array<size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  for (size_t row = 0; row < rows.size(); ++row) {
    std::string cells;
    for (size_t i = 0; i < widths.size(); ++i) {
      cells += Concat(PadLeft(rows[row][i], widths[i]), "  ");
    }
    if (row == 0) {
      output(Styled(cells + "function", Style::kDim, colour));
      continue;
    }
    const FunctionTimes& function = functions[row - 1];
    const std::string marks = MarksOf(function);
    std::string name = Printable(function.name);
    if (columns != 0) {
      constexpr size_t kFewestNameColumns = 12;
      const size_t taken = DisplayWidth(cells) + marks.size();
      name = CutMiddle(name, std::max(columns - std::min(columns, taken), kFewestNameColumns));
    }
    output(cells + name + Styled(marks, Style::kYellow, colour));
  }
  if (shown < functions.size()) {
    output(Styled(Concat("… ", Counted(functions.size() - shown, "more function"), " (--top 0)"),
                  Style::kDim, colour));
  }
}

}  // namespace autotrace::cli
