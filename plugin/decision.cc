#include "plugin/decision.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "filters/dropped_functions.h"
#include "filters/known_function.h"
#include "filters/path_components.h"
#include "symbolizer/function_name.h"

namespace autotrace::plugin {
namespace {

bool HasKind(const filters::Strings& patterns, filters::PatternKind kind) {
  return std::any_of(patterns.begin(), patterns.end(), [kind](const std::string& text) {
    filters::Pattern pattern;
    std::string error;
    return filters::Pattern::Parse(text, &pattern, &error) && pattern.kind() == kind;
  });
}

// What the filter asks about. The decision looks at compiler-made members itself.
class FilteredFunction final : public filters::Function {
 public:
  explicit FilteredFunction(const CompiledFunction& function)
      : function_(function), name_(symbolizer::QualifiedName(function.linker_name())) {}

  std::string_view name() const override { return name_; }
  std::string_view module_path() const override { return {}; }
  std::string_view source_file() const override {
    source_file_ = function_.source_file();
    if (!source_file_.empty() && source_file_[0] != '/') {
      std::error_code error;
      source_file_ = (std::filesystem::current_path(error) / source_file_).string();
    }
    return source_file_;
  }
  bool compiler_made() const override { return false; }

 private:
  const CompiledFunction& function_;
  const std::string name_;
  mutable std::string source_file_;
};

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

Decider::Decider(Settings settings) : settings_(std::move(settings)) {
  const filters::Strings& modules = settings_.modules;
  // Binaries are made later: patterns for them cannot be decided on here.
  if (modules.empty() || HasKind(modules, filters::PatternKind::kBinary)) return;
  needs_source_files_ = HasKind(modules, filters::PatternKind::kSource);
  filters::Config config;
  config.modules = modules;
  filter_ = std::make_unique<filters::FunctionFilter>(config);
}

Decision Decider::Decide(const CompiledFunction& function) const {
  if (function.is_marked_no_trace()) return {Reason::kNoTrace, ""};
  if (function.is_marked_always_trace()) return {Reason::kAlwaysTrace, ""};
  if (function.in_standard_library()) return {Reason::kStandardLibrary, ""};
  bool is_named_exactly = false;
  std::string pattern;
  if (filter_ != nullptr) {
    const filters::Decision match = filter_->Decide(FilteredFunction(function));
    if (match.verdict != filters::Verdict::kRecord) return {Reason::kNotMatched, ""};
    is_named_exactly = match.named_exactly;
    pattern = match.pattern->text();
  }
  if (!settings_.keep_compiler_made && function.is_compiler_made()) {
    return {Reason::kCompilerMade, ""};
  }
  const bool may_be_dropped = settings_.leaves == Leaves::kAll ||
                              (settings_.leaves == Leaves::kInline && function.is_defined_inline());
  if (may_be_dropped && !is_named_exactly && function.is_straight_line()) {
    return {Reason::kStraightLine, ""};
  }
  const std::set<std::string>& profile = settings_.profile.short_functions;
  if (!is_named_exactly && !profile.empty() && profile.count(function.linker_name()) != 0) {
    return {Reason::kShort, ""};
  }
  return {Reason::kKept, pattern};
}

Decision Decider::DecideByName(const std::string& linker_name) const {
  if (IsStandardLibraryName(linker_name)) return {Reason::kStandardLibrary, ""};
  if (settings_.profile.short_functions.count(linker_name) != 0) return {Reason::kShort, ""};
  if (filter_ == nullptr || needs_source_files_) return {Reason::kKept, ""};
  const std::string name = symbolizer::QualifiedName(linker_name);
  const filters::Decision match = filter_->Decide(filters::KnownFunction(name));
  if (match.verdict != filters::Verdict::kRecord) return {Reason::kNotMatched, ""};
  return {Reason::kKept, match.pattern->text()};
}

std::string Describe(const Decision& decision) {
  using filters::DroppedReason;
  const auto describe = [](DroppedReason reason) { return std::string(filters::Describe(reason)); };
  switch (decision.reason) {
    case Reason::kKept:
      return decision.pattern.empty() ? "no reason to drop it"
                                      : "matched by '" + decision.pattern + "'";
    case Reason::kAlwaysTrace:
      return "marked AUTOTRACE_ALWAYS_TRACE";
    case Reason::kNoTrace:
      return describe(DroppedReason::kNoTrace);
    case Reason::kStandardLibrary:
      return "of the standard library";
    case Reason::kNotMatched:
      return describe(DroppedReason::kNotMatched);
    case Reason::kCompilerMade:
      return describe(DroppedReason::kCompilerMade);
    case Reason::kStraightLine:
      return describe(DroppedReason::kStraightLine);
    case Reason::kShort:
      return describe(DroppedReason::kShort);
  }
  return "";
}

// /usr/include/c++/12/..., /usr/include/x86_64-linux-gnu/c++/12/..., .../include/c++/v1/...,
// /usr/lib/gcc/x86_64-linux-gnu/12/include/..., /usr/lib/llvm-14/lib/clang/14.0.6/include/...
bool IsStandardLibraryHeader(std::string_view path) {
  const filters::PathComponents components(path);
  for (size_t index = 0; index + 2 < components.size(); ++index) {
    const std::string_view folder = components[index];
    const std::string_view next = components[index + 1];
    if (folder == "c++" && (IsNumber(next) || next == "v1")) return true;
    if (folder == "clang" && IsNumber(next)) return true;
    if (folder == "gcc" && index + 3 < components.size() && IsNumber(components[index + 2])) {
      return true;
    }
  }
  return false;
}

// "_ZNSt6vectorIiSaIiEE4sizeEv", "_ZSt4moveIRiE...", "_ZNSs6appendEPKc", "_ZN9__gnu_cxx...",
// "_ZZNSt...": S with one of these letters is std itself or one of its classes.
bool IsStandardLibraryName(std::string_view linker_name) {
  if (!linker_name.starts_with("_Z")) return false;
  std::string_view rest = linker_name.substr(2);
  while (rest.starts_with('Z')) rest.remove_prefix(1);
  if (rest.starts_with('N')) rest.remove_prefix(1);
  rest.remove_prefix(std::min(rest.find_first_not_of("rVKRO"), rest.size()));
  if (rest.size() >= 2 && rest[0] == 'S') {
    return std::string_view("tabsiod").find(rest[1]) != std::string_view::npos;
  }
  return rest.starts_with("9__gnu_cxx") || rest.starts_with("10__cxxabiv1");
}

}  // namespace autotrace::plugin
