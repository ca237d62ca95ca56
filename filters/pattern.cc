#include "filters/pattern.h"

#include <stddef.h>

#include "filters/glob.h"
#include "filters/name_components.h"
#include "filters/path_components.h"

namespace autotrace::filters {
namespace {

constexpr size_t kNone = std::string_view::npos;

// libstorage.so means libstorage.so.1.2 too, and so does libstorage.so.1.
bool BinaryNameMatches(std::string_view glob, std::string_view name) noexcept {
  if (GlobMatches(glob, name, Spaces::kCompared)) return true;
  size_t end = name.find(".so.");
  if (end == kNone) return false;
  for (end += 3; end != kNone; end = name.find('.', end + 1)) {
    if (GlobMatches(glob, name.substr(0, end), Spaces::kCompared)) return true;
  }
  return false;
}

}  // namespace

Pattern::Match Pattern::Matches(const Function& function) const noexcept {
  switch (kind_) {
    case PatternKind::kEverything:
      return Match::kYes;
    case PatternKind::kSource:
      return MatchesSource(PathComponents(function.source_file())) ? Match::kYes : Match::kNo;
    case PatternKind::kBinary:
      return MatchesBinary(PathComponents(function.module_path())) ? Match::kYes : Match::kNo;
    case PatternKind::kName:
    case PatternKind::kNameOrBinary:
      break;
  }
  const Match match = MatchesName(NameComponents(function.name()));
  if (match != Match::kNo || kind_ == PatternKind::kName) return match;
  return MatchesBinary(PathComponents(function.module_path())) ? Match::kYes : Match::kNo;
}

Pattern::Match Pattern::MatchesName(const NameComponents& name) const noexcept {
  if (kind_ == PatternKind::kEverything) return Match::kYes;
  if (kind_ != PatternKind::kName && kind_ != PatternKind::kNameOrBinary) return Match::kNo;
  if (components_.empty()) return Match::kNo;

  // The pattern must match the name's first components; what follows is inside of what it names.
  size_t component = 0;
  size_t index = 0;
  size_t retry_component = kNone;  // after the last "**", which takes one component more
  size_t retry_index = 0;
  while (component < components_.size()) {
    if (components_[component].any) {
      retry_component = ++component;
      retry_index = index;
    } else if (index < name.size() && ComponentMatchesName(components_[component], name, index)) {
      ++component;
      ++index;
    } else if (retry_component != kNone && retry_index < name.size()) {
      component = retry_component;
      index = ++retry_index;
    } else {
      return Match::kNo;
    }
  }
  for (size_t outer = index > 0 ? index - 1 : 0; outer + 1 < name.size(); ++outer) {
    if (name.is_function(outer)) return Match::kInsideFunction;
  }
  return index == name.size() && !wildcard_ ? Match::kExactFunction : Match::kYes;
}

bool Pattern::MatchesBinary(const PathComponents& module_path) const noexcept {
  switch (kind_) {
    case PatternKind::kEverything:
      return true;
    case PatternKind::kBinary:
      return MatchesPath(module_path);
    case PatternKind::kNameOrBinary:
      return components_[0].glob == module_path.base_name();
    case PatternKind::kName:
    case PatternKind::kSource:
      break;
  }
  return false;
}

bool Pattern::MatchesSource(const PathComponents& source_file) const noexcept {
  if (kind_ == PatternKind::kEverything) return true;
  return kind_ == PatternKind::kSource && MatchesPath(source_file);
}

bool Pattern::ComponentMatchesName(const Component& component, const NameComponents& name,
                                   size_t index) const noexcept {
  return GlobMatches(component.glob,
                     component.with_arguments ? name.with_arguments(index) : name.base(index),
                     Spaces::kIgnored);
}

bool Pattern::ComponentMatchesPath(const Component& component, bool last,
                                   std::string_view text) const noexcept {
  if (last && kind_ == PatternKind::kBinary) return BinaryNameMatches(component.glob, text);
  return GlobMatches(component.glob, text, Spaces::kCompared);
}

bool Pattern::MatchesPath(const PathComponents& path) const noexcept {
  if (path.size() == 0 || (absolute_ && !path.absolute())) return false;
  // src/db means the folder, and so everything below it; src/* and a binary mean files.
  const Component& last = components_.back();
  const bool to_the_end = !folder_ && !last.any && (last.wildcard || kind_ == PatternKind::kBinary);

  size_t component = 0;
  size_t index = 0;
  // A relative pattern begins at any '/', as if "**" stood before it.
  size_t retry_component = absolute_ ? kNone : 0;
  size_t retry_index = 0;
  while (true) {
    if (component == components_.size()) {
      if (folder_ ? index < path.size() : (!to_the_end || index == path.size())) return true;
    } else if (components_[component].any) {
      retry_component = ++component;
      retry_index = index;
      continue;
    } else if (index < path.size() &&
               ComponentMatchesPath(components_[component], component + 1 == components_.size(),
                                    path[index])) {
      ++component;
      ++index;
      continue;
    }
    if (retry_component == kNone || retry_index >= path.size()) return false;
    component = retry_component;
    index = ++retry_index;
  }
}

}  // namespace autotrace::filters
