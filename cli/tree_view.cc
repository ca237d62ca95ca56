#include "cli/tree_view.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include "cli/sibling_groups.h"
#include "cli/statistics.h"
#include "cli/strings.h"
#include "cli/text_format.h"

namespace autotrace::cli {
namespace {

constexpr size_t kDurationColumns = 9;
constexpr std::string_view kGap = "  ";
// What a name is left with at least, however deep it stands.
constexpr size_t kFewestNameColumns = 20;

// A piece of a line behind the name.
struct Note {
  std::string text;
  Style style = Style::kPlain;
  bool can_be_left_out = false;
};

// Passes lines on up to the limit and counts the rest. The last line within the limit is held back
// until it is clear whether it must make room for the note about what is left out.
class LimitedLines {
 public:
  LimitedLines(const LineSink& output, uint64_t limit) : output_(output), limit_(limit) {}

  // False once lines are only counted, so that styling them is not worth it.
  bool is_open() const { return limit_ == 0 || count_ < limit_; }

  void Add(std::string_view line) {
    ++count_;
    if (limit_ == 0 || count_ < limit_) {
      output_(line);
    } else if (count_ == limit_) {
      held_ = line;
    }
  }

  void Finish(bool colour) {
    if (limit_ == 0 || count_ < limit_) return;
    if (count_ == limit_) {
      output_(held_);
      return;
    }
    output_(Styled(Concat("… ", HumanCount(count_ - limit_ + 1), " more lines (--all)"),
                   Style::kDim, colour));
  }

 private:
  const LineSink& output_;
  const uint64_t limit_;
  uint64_t count_ = 0;
  std::string held_;
};

std::string ToText(const exporter::AttributeValue& value) {
  struct Visitor {
    std::string operator()(const std::string& text) const { return Printable(text); }
    std::string operator()(int64_t number) const { return Concat(number); }
    std::string operator()(double number) const {
      char text[64];
      const auto end = std::to_chars(text, text + sizeof(text), number).ptr;  // shortest exact
      return std::string(text, end);
    }
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
  };
  return std::visit(Visitor{}, value);
}

class TreePrinter {
 public:
  TreePrinter(const SpanTable& table, const TreeOptions& options, const LineSink& output)
      : table_(table), options_(options), lines_(output, options.max_lines) {}

  void Print() {
    for (const std::string& line : options_.heading) {
      lines_.Add(Styled(CutEnd(line, options_.columns), Style::kDim, options_.colour));
    }
    lines_.Add(Styled(Concat(PadLeft("duration", kDurationColumns), kGap, "span"), Style::kDim,
                      options_.colour));
    // A stack of our own: trees can be deeper than the thread's stack.
    levels_.push_back(std::make_unique<Level>(table_, table_.Roots(), options_.fold));
    while (!levels_.empty()) {
      Level& level = *levels_.back();
      if (level.next == level.siblings.groups().size()) {
        levels_.pop_back();
        continue;
      }
      const SiblingGroup& group = level.siblings.groups()[level.next++];
      const std::span<const SpanIndex> children = ShownChildren(group.slowest);
      PrintGroup(group, !children.empty());
      if (!children.empty()) {
        levels_.push_back(std::make_unique<Level>(table_, children, options_.fold));
      }
    }
    lines_.Finish(options_.colour);
  }

 private:
  struct Level {
    Level(const SpanTable& table, std::span<const SpanIndex> spans, bool fold)
        : siblings(table, spans, fold) {}
    bool has_more() const { return next < siblings.groups().size(); }

    SiblingGroups siblings;
    size_t next = 0;  // the group to print next
  };

  std::span<const SpanIndex> ShownChildren(SpanIndex span) const {
    if (options_.max_depth != 0 && levels_.size() >= options_.max_depth) return {};
    return table_.Children(span);
  }

  void PrintGroup(const SiblingGroup& group, bool has_children) {
    const SpanTable::Entry& slowest = table_[group.slowest];
    const bool is_folded = group.members.size() > 1;
    std::vector<Note> notes;
    uint64_t duration = slowest.duration_nanos;
    std::string repeat;
    if (is_folded) {
      repeat = Concat(" ×", group.members.size());
      duration = AddStatistics(group, &notes);
    }
    AddMarks(group, &notes);
    PrintLine(HumanDuration(duration), Printable(table_.NameOf(slowest)), repeat, notes,
              has_children);
  }

  // Returns the sum of the durations.
  uint64_t AddStatistics(const SiblingGroup& group, std::vector<Note>* notes) const {
    Statistics statistics;
    for (const SpanIndex member : group.members) statistics.Add(table_[member].duration_nanos);
    const auto add = [&](std::string_view what, uint64_t value, bool can_be_left_out = false) {
      notes->push_back({Concat(what, " ", HumanDuration(value)), Style::kPlain, can_be_left_out});
    };
    // The total stands in the duration column as well.
    add("total", statistics.sum(), true);
    add("p50", statistics.Percentile(50));
    add("p99", statistics.Percentile(99));
    add("max", statistics.max());
    return statistics.sum();
  }

  void AddMarks(const SiblingGroup& group, std::vector<Note>* notes) const {
    const SpanTable::Entry& slowest = table_[group.slowest];
    const bool is_folded = group.members.size() > 1;
    AddFlag(group, SpanTable::kError, "error", Style::kRed, notes);
    if (const std::string_view error = OwnError(group.slowest); !error.empty()) {
      notes->push_back({Printable(error), Style::kRed});
    }
    AddFlag(group, SpanTable::kUnfinished, "unfinished", Style::kYellow, notes);
    if (slowest.parent == kNoSpan) {
      AddRootMarks(slowest, notes);
      AddFlag(group, SpanTable::kLostParent, "parent not recorded", Style::kYellow, notes);
    } else if (slowest.thread != table_[slowest.parent].thread) {
      notes->push_back({Concat("on ", Printable(table_.ThreadOf(slowest))), Style::kDim});
    }
    if (slowest.has(SpanTable::kManual)) notes->push_back({"manual", Style::kCyan});
    if (options_.callers && !table_.CallerOf(slowest).empty()) {
      notes->push_back({Concat("called from ", Printable(table_.CallerOf(slowest))), Style::kDim});
    }
    const std::vector<exporter::Attribute>& attributes = table_.AttributesOf(group.slowest);
    if (is_folded && !attributes.empty()) notes->push_back({"slowest:", Style::kDim});
    for (const auto& [key, value] : attributes) {
      notes->push_back({Concat(Printable(key), "=", ToText(value)), Style::kCyan});
    }
  }

  // What an error was, where it is not told by the span that it came from.
  std::string_view OwnError(SpanIndex span) const {
    const std::string_view error = table_.ErrorOf(span);
    for (const SpanIndex child : table_.Children(span)) {
      if (table_.ErrorOf(child) == error) return {};
    }
    return error;
  }

  void AddRootMarks(const SpanTable::Entry& root, std::vector<Note>* notes) const {
    if (!table_.PipelineOf(root).empty()) {
      notes->push_back({Concat("pipeline ", Printable(table_.PipelineOf(root))), Style::kYellow});
    }
    if (root.has(SpanTable::kRemoteParent)) notes->push_back({"remote parent", Style::kDim});
    if (table_.process_count() > 1) {
      notes->push_back({Concat("process ", table_.PidOf(root)), Style::kDim});
    }
    if (table_.trace_count() > 1) {
      notes->push_back({Concat("trace ", table_.TraceIdOf(root).substr(0, 8)), Style::kDim});
    }
  }

  void AddFlag(const SiblingGroup& group, SpanTable::Flag flag, std::string_view word, Style style,
               std::vector<Note>* notes) const {
    uint64_t count = 0;
    for (const SpanIndex member : group.members) count += table_[member].has(flag) ? 1 : 0;
    if (count == 0) return;
    if (group.members.size() == 1) {
      notes->push_back({std::string(word), style});
    } else {
      notes->push_back({Concat(HumanCount(count), " ", word), style});
    }
  }

  // The lines that lead to a span: "│  ├─ ". With `for_continuation`, those of a further line of
  // the same span: "│  │  ". Too deep a place is told by its number instead of all its lines.
  std::string Branches(bool for_continuation, bool has_children) const {
    const size_t depth = levels_.size() - 1;
    std::string branches;
    if (depth > 0) {
      const size_t most_columns =
          options_.columns -
          std::min(options_.columns, kDurationColumns + kGap.size() + kFewestNameColumns);
      const std::string number = Concat("[", depth, "] ");
      size_t first = 1;
      if (depth * 3 > most_columns * 2 / 3) {
        const size_t fitting = std::min<size_t>(depth, 4);
        first = depth - fitting + 1;
        branches = for_continuation ? std::string(number.size(), ' ') : number;
      }
      for (size_t level = first; level < depth; ++level) {
        branches += levels_[level]->has_more() ? "│  " : "   ";
      }
      if (for_continuation) {
        branches += levels_[depth]->has_more() ? "│  " : "   ";
      } else {
        branches += levels_[depth]->has_more() ? "├─ " : "└─ ";
      }
    }
    if (for_continuation) branches += has_children ? "│    " : "     ";
    return branches;
  }

  void PrintLine(const std::string& duration, std::string name, const std::string& repeat,
                 std::vector<Note> notes, bool has_children) {
    const std::string branches = Branches(false, false);
    const size_t before_name = kDurationColumns + kGap.size() + DisplayWidth(branches);
    const size_t for_name =
        options_.columns - std::min(options_.columns, before_name + DisplayWidth(repeat));
    name = CutMiddle(name, std::max<size_t>(for_name, 1));
    size_t column = before_name + DisplayWidth(name) + DisplayWidth(repeat);
    LeaveOutWhatDoesNotFit(column, &notes);

    const bool is_root = levels_.size() == 1;
    std::string line = Concat(
        PadLeft(duration, kDurationColumns), kGap, Styled(branches, Style::kDim, options_.colour),
        Styled(name, is_root ? Style::kBold : Style::kPlain, options_.colour), repeat);
    std::string continuation;
    size_t continuation_column = 0;
    bool has_note = false;
    for (const Note& note : notes) {
      const size_t width = DisplayWidth(note.text);
      if (column + (has_note || continuation.empty() ? kGap.size() : 0) + width >
          options_.columns) {
        lines_.Add(line);
        if (continuation.empty()) {
          const std::string further = Branches(true, has_children);
          continuation_column = kDurationColumns + kGap.size() + DisplayWidth(further);
          continuation = Concat(std::string(kDurationColumns, ' '), kGap,
                                Styled(further, Style::kDim, options_.colour));
        }
        line = continuation;
        column = continuation_column;
        has_note = false;
      }
      if (has_note || continuation.empty()) {
        line += kGap;
        column += kGap.size();
      }
      const size_t room = options_.columns - std::min(options_.columns, column);
      line += Styled(CutEnd(note.text, room), note.style, options_.colour);
      column += std::min(width, room);
      has_note = true;
    }
    lines_.Add(line);
  }

  // Leaves out what can be spared if the notes would not fit behind `column`.
  void LeaveOutWhatDoesNotFit(size_t column, std::vector<Note>* notes) const {
    for (const Note& note : *notes) column += kGap.size() + DisplayWidth(note.text);
    if (column <= options_.columns) return;
    std::erase_if(*notes, [](const Note& note) { return note.can_be_left_out; });
  }

  const SpanTable& table_;
  const TreeOptions& options_;
  LimitedLines lines_;
  std::vector<std::unique_ptr<Level>> levels_;
};

}  // namespace

void PrintTree(const SpanTable& table, const TreeOptions& options, const LineSink& output) {
  TreePrinter(table, options, output).Print();
}

}  // namespace autotrace::cli
