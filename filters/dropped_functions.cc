#include "filters/dropped_functions.h"

#include <algorithm>

#include "filters/known_function.h"
#include "filters/name_components.h"
#include "filters/path_components.h"

namespace autotrace::filters {
namespace {

// The next text that is not empty; false at the end.
bool NextText(std::string_view* rest, std::string_view* text) {
  while (!rest->empty()) {
    const size_t end = std::min(rest->find('\0'), rest->size());
    *text = rest->substr(0, end);
    rest->remove_prefix(std::min(end + 1, rest->size()));
    if (!text->empty()) return true;
  }
  return false;
}

bool ReasonOf(char letter, size_t* index) {
  for (*index = 0; *index < kDroppedReasons.size(); ++*index) {
    if (static_cast<char>(kDroppedReasons[*index]) == letter) return true;
  }
  return false;
}

}  // namespace

std::string_view Describe(DroppedReason reason) {
  switch (reason) {
    case DroppedReason::kStraightLine:
      return "inline, without loop or call";
    case DroppedReason::kCompilerMade:
      return "made by the compiler";
    case DroppedReason::kNoTrace:
      return "marked AUTOTRACE_NO_TRACE";
    case DroppedReason::kNotMatched:
      return "matched by none of the patterns that the compiler was given";
    case DroppedReason::kShort:
      return "short in the profile that the compiler was given";
  }
  return "";
}

std::string WithoutTemplateArguments(std::string_view name) {
  const NameComponents components(name);
  std::string result;
  for (size_t index = 0; index < components.size(); ++index) {
    const std::string_view base = components.base(index);
    if (index > 0) result += "::";
    result += base;
    if (components.with_arguments(index).size() > base.size()) result += "<>";
    if (components.is_function(index)) result += "()";
  }
  return result;
}

bool DroppedFunctions::Next(Entry* entry) {
  std::string_view text;
  while (NextText(&rest_, &text)) {
    size_t reason = 0;
    if (!ReasonOf(text[0], &reason)) continue;
    entry->reason = kDroppedReasons[reason];
    entry->name = text.substr(1);
    entry->is_linker_name =
        entry->name.starts_with("_Z") || entry->name.find("::") == std::string_view::npos;
    return true;
  }
  return false;
}

bool DroppedMatch::any() const {
  return source_files > 0 ||
         std::any_of(functions.begin(), functions.end(), [](size_t count) { return count > 0; });
}

void DroppedMatch::Add(const DroppedMatch& other) {
  source_files += other.source_files;
  for (size_t index = 0; index < functions.size(); ++index) {
    functions[index] += other.functions[index];
  }
}

std::string DroppedMatch::Describe() const {
  size_t total = 0;
  for (const size_t count : functions) total += count;
  std::string reasons;
  for (size_t index = 0; index < functions.size(); ++index) {
    if (functions[index] == 0) continue;
    if (!reasons.empty()) reasons += "; ";
    if (functions[index] < total) reasons += std::to_string(functions[index]) + " ";
    reasons += filters::Describe(kDroppedReasons[index]);
  }
  if (total > 0) {
    return std::to_string(total) + (total == 1 ? " that does: " : " that do: ") + reasons;
  }
  if (source_files > 0) {
    return "functions of " + std::to_string(source_files) +
           (source_files == 1 ? " file that does" : " files that do");
  }
  return "";
}

DroppedMatch MatchDropped(const Pattern& pattern, std::string_view section, std::string_view binary,
                          std::string (*qualified_name)(std::string_view linker_name)) {
  DroppedMatch match;
  if (pattern.kind() == PatternKind::kSource) {
    std::string_view rest = section;
    std::string_view text;
    while (NextText(&rest, &text)) {
      if (text[0] != kDroppedSourceFile) continue;
      if (pattern.MatchesSource(PathComponents(text.substr(1)))) ++match.source_files;
    }
    return match;
  }
  // The instances of a template stand in the section without their arguments.
  Pattern of_all_instances;
  std::string error;
  const bool has_arguments =
      pattern.text().find('<') != std::string::npos &&
      Pattern::Parse(WithoutTemplateArguments(pattern.text()), &of_all_instances, &error);
  DroppedFunctions functions(section);
  DroppedFunctions::Entry entry;
  while (functions.Next(&entry)) {
    const std::string name =
        entry.is_linker_name ? qualified_name(entry.name) : std::string(entry.name);
    const KnownFunction function(name, binary);
    if (pattern.Matches(function) != Pattern::Match::kNo ||
        (has_arguments && of_all_instances.Matches(function) != Pattern::Match::kNo)) {
      size_t reason = 0;
      ReasonOf(static_cast<char>(entry.reason), &reason);
      ++match.functions[reason];
    }
  }
  return match;
}

}  // namespace autotrace::filters
