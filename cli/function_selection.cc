#include "cli/function_selection.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "cli/program_inspection.h"
#include "cli/strings.h"
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

using LinkerNames = std::map<uint64_t, std::string_view>;  // by address

LinkerNames FunctionsOf(const symbolizer::ModuleImage& image) {
  LinkerNames names;
  image.ForEachFunction(
      [](void* context, const symbolizer::Symbol& symbol) {
        if (symbol.address == 0 || IsColdPart(symbol.name) || IsStartFile(symbol.name)) return;
        static_cast<LinkerNames*>(context)->emplace(symbol.address, symbol.name);
      },
      &names);
  // Of several names for one address, what the runtime would take.
  for (auto& [address, name] : names) {
    symbolizer::Symbol symbol;
    if (image.FindFunction(address, &symbol) && symbol.address == address) name = symbol.name;
  }
  return names;
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
  const filters::FunctionFilter filter(config);
  for (const auto& [address, linker_name] : FunctionsOf(image)) {
    SelectedFunction function;
    function.name = symbolizer::QualifiedName(linker_name);
    const filters::Decision decision =
        filter.Decide(SymbolFunction(&image, module_path, function.name, address));
    function.verdict = decision.verdict;
    function.reason = decision.reason;
    function.description = Describe(decision);
    selection.functions.push_back(std::move(function));
  }
  std::stable_sort(selection.functions.begin(), selection.functions.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  selection.unmatched_patterns = filter.UnmatchedPatterns();
  return selection;
}

}  // namespace autotrace::cli
