#include "cli/function_selection.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "cli/program_inspection.h"
#include "cli/strings.h"
#include "filters/known_function.h"
#include "symbolizer/function_name.h"
#include "symbolizer/module_image.h"

namespace autotrace::cli {
namespace {

// Looks debug information up when it is asked for, as the runtime does: most functions of a large
// binary are decided by their names.
class SymbolFunction final : public filters::Function {
 public:
  SymbolFunction(symbolizer::ModuleImage* image, std::string_view module_path,
                 std::string_view name, uint64_t address)
      : image_(image), module_path_(module_path), name_(name), address_(address) {}

  std::string_view name() const override { return name_; }
  std::string_view module_path() const override { return module_path_; }
  std::string_view source_file() const override {
    const symbolizer::FunctionFacts& facts = Facts();
    if (facts.file.empty() || facts.directory.empty() || facts.file.starts_with("/")) {
      return facts.file;
    }
    source_file_ = Concat(facts.directory, "/", facts.file);
    return source_file_;
  }
  bool compiler_made() const override { return Facts().compiler_made; }

 private:
  const symbolizer::FunctionFacts& Facts() const {
    if (!facts_.has_value()) {
      facts_.emplace();
      if (!image_->FindFacts(address_, &*facts_)) facts_ = symbolizer::FunctionFacts();
    }
    return *facts_;
  }

  symbolizer::ModuleImage* const image_;
  const std::string_view module_path_;
  const std::string_view name_;
  const uint64_t address_;
  mutable std::optional<symbolizer::FunctionFacts> facts_;
  mutable std::string source_file_;
};

// Parts of a function that the compiler moved elsewhere: never called, so never hooked.
bool IsColdPart(std::string_view linker_name) {
  return linker_name.ends_with(".cold") || Contains(linker_name, ".cold.");
}

// Of the C library's start files (crt1.o, crti.o, crtbegin.o), which are part of every binary and
// never compiled with hooks.
bool IsStartFile(std::string_view linker_name) {
  constexpr std::array<std::string_view, 7> kNames = {"_init",
                                                      "_fini",
                                                      "_start",
                                                      "__do_global_dtors_aux",
                                                      "frame_dummy",
                                                      "register_tm_clones",
                                                      "deregister_tm_clones"};
  return std::find(kNames.begin(), kNames.end(), linker_name) != kNames.end();
}

using LinkerNames = std::map<uint64_t, std::vector<std::string_view>>;  // by address

// Of several names for one address, first what the runtime would take.
LinkerNames FunctionsOf(const symbolizer::ModuleImage& image) {
  LinkerNames names;
  image.ForEachFunction(
      [](void* context, const symbolizer::Symbol& symbol) {
        if (symbol.address == 0 || IsColdPart(symbol.name) || IsStartFile(symbol.name)) return;
        (*static_cast<LinkerNames*>(context))[symbol.address].push_back(symbol.name);
      },
      &names);
  for (auto& [address, aliases] : names) {
    symbolizer::Symbol symbol;
    if (!image.FindFunction(address, &symbol) || symbol.address != address) continue;
    const auto taken = std::find(aliases.begin(), aliases.end(), symbol.name);
    if (taken != aliases.end()) std::iter_swap(aliases.begin(), taken);
  }
  return names;
}

// What a plugin left out, and which of it the symbol table holds.
class DroppedNames {
 public:
  explicit DroppedNames(std::string_view section) {
    filters::DroppedFunctions functions(section);
    filters::DroppedFunctions::Entry entry;
    while (functions.Next(&entry)) names_.emplace(entry.name, Dropped{entry, false});
  }

  // Null when these are one function's names and it has its hooks.
  const filters::DroppedFunctions::Entry* Find(const std::vector<std::string_view>& aliases,
                                               std::string_view name) {
    if (names_.empty()) return nullptr;
    for (const std::string_view alias : aliases) {
      if (const auto* entry = FindOne(alias)) return entry;
    }
    return Contains(name, "<") ? FindOne(filters::WithoutTemplateArguments(name)) : nullptr;
  }

  // What was inlined everywhere, or never needed.
  std::vector<filters::DroppedFunctions::Entry> NotFound() const {
    std::vector<filters::DroppedFunctions::Entry> entries;
    for (const auto& [name, dropped] : names_) {
      if (!dropped.is_found) entries.push_back(dropped.entry);
    }
    return entries;
  }

 private:
  struct Dropped {
    filters::DroppedFunctions::Entry entry;
    bool is_found;
  };

  const filters::DroppedFunctions::Entry* FindOne(std::string_view name) {
    const auto found = names_.find(name);
    if (found == names_.end()) return nullptr;
    found->second.is_found = true;
    return &found->second.entry;
  }

  std::map<std::string_view, Dropped, std::less<>> names_;
};

SelectedFunction DroppedFunction(std::string name, filters::DroppedReason reason,
                                 const filters::Decision& decision) {
  SelectedFunction function;
  function.name = std::move(name);
  function.is_dropped = true;
  function.description = decision.verdict == filters::Verdict::kRecord
                             ? Concat("compiled without hooks: ", filters::Describe(reason))
                             : Describe(decision);
  return function;
}

}  // namespace

absl::StatusOr<FunctionSelection> SelectFunctions(const std::string& path,
                                                  const filters::Config& config) {
  if (access(path.c_str(), R_OK) != 0) return absl::ErrnoToStatus(errno, path);
  std::error_code error;
  // The runtime knows binaries by their canonical paths.
  const std::string module_path = std::filesystem::canonical(path, error).string();
  symbolizer::ModuleImage image;
  if (!image.Map(path.c_str())) {
    return absl::InvalidArgumentError(
        Concat(path, " is no ELF program or library for this machine"));
  }
  FunctionSelection selection;
  selection.has_hooks = CallsHooks(module_path);
  selection.has_debug_info = image.has_debug_info();
  const std::string_view section = image.SectionContents(filters::kDroppedSection);
  selection.was_compiled_with_plugin = !section.empty();
  DroppedNames dropped(section);
  const filters::FunctionFilter filter(config);
  // Of its own, because what has no hooks does not make a pattern match.
  const filters::FunctionFilter dropped_filter(config);
  for (const auto& [address, aliases] : FunctionsOf(image)) {
    SelectedFunction function;
    function.name = symbolizer::QualifiedName(aliases.front());
    const SymbolFunction symbol(&image, module_path, function.name, address);
    if (const auto* entry = dropped.Find(aliases, function.name)) {
      selection.functions.push_back(
          DroppedFunction(function.name, entry->reason, dropped_filter.Decide(symbol)));
      continue;
    }
    const filters::Decision decision = filter.Decide(symbol);
    function.verdict = decision.verdict;
    function.reason = decision.reason;
    function.description = Describe(decision);
    selection.functions.push_back(std::move(function));
  }
  for (const filters::DroppedFunctions::Entry& entry : dropped.NotFound()) {
    const std::string name =
        entry.is_linker_name ? symbolizer::QualifiedName(entry.name) : std::string(entry.name);
    const filters::Decision decision =
        dropped_filter.Decide(filters::KnownFunction(name, module_path));
    if (decision.verdict != filters::Verdict::kRecord) continue;
    selection.functions.push_back(DroppedFunction(name, entry.reason, decision));
  }
  std::stable_sort(selection.functions.begin(), selection.functions.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const filters::UnmatchedPattern& unmatched : filter.UnmatchedPatterns()) {
    selection.unmatched_patterns.push_back(
        {unmatched.text(), filters::MatchDropped(*unmatched.pattern, section, module_path,
                                                 symbolizer::QualifiedName)});
  }
  return selection;
}

}  // namespace autotrace::cli
