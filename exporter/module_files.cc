#include "exporter/module_files.h"

#include <limits.h>
#include <sys/stat.h>

#include "absl/strings/str_format.h"
#include "exporter/process_info.h"
#include "symbolizer/function_name.h"
#include "symbolizer/module_image.h"
#include "symbolizer/source_locator.h"

namespace autotrace::exporter {
namespace {

// A recorded path may name anything by now: a pipe, a device.
bool IsRegularFile(const std::string& path) {
  struct stat facts;
  return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

std::string WithPlace(const std::string& function, const std::string& file, uint32_t line) {
  if (file.empty() || line == 0) return function;
  return function + " (" + file + ":" + std::to_string(line) + ")";
}

}  // namespace

ModuleFile::ModuleFile(std::string path, std::string build_id, bool source_locations)
    : path_(std::move(path)), build_id_(std::move(build_id)), source_locations_(source_locations) {}
ModuleFile::~ModuleFile() = default;

bool ModuleFile::Usable() {
  if (opened_) return usable_;
  opened_ = true;
  if (!IsRegularFile(path_)) return false;
  image_ = std::make_unique<symbolizer::ModuleImage>();
  usable_ = image_->Map(path_.c_str()) && (build_id_.empty() || image_->build_id() == build_id_);
  if (usable_ && source_locations_) {
    locator_ = std::make_unique<symbolizer::SourceLocator>(path_, build_id_);
    if (!locator_->matches()) locator_.reset();
  }
  return usable_;
}

std::string ModuleFile::WithoutSymbol(uint64_t address) const {
  // Every address of a stack gets this text, and a recorded path can be as long as a block.
  return absl::StrFormat("%s+0x%x", BaseName(path_).substr(0, NAME_MAX), address);
}

std::string ModuleFile::FunctionName(uint64_t address) {
  symbolizer::Symbol symbol;
  if (!Usable() || !image_->FindFunction(address, &symbol) || symbol.name.empty()) {
    return WithoutSymbol(address);
  }
  return symbolizer::QualifiedName(symbol.name);
}

void ModuleFile::LocateFunction(uint64_t address, Function* function) {
  if (!Usable() || locator_ == nullptr) return;
  symbolizer::SourceLocation location = locator_->LocateFunction(address);
  if (location.line == 0) return;
  function->file = std::move(location.file);
  function->line = location.line;
}

const std::string& ModuleFile::DescribeCall(uint64_t address) {
  const auto [entry, is_new] = calls_.try_emplace(address);
  if (is_new) entry->second = MakeDescription(address);
  return entry->second;
}

std::string ModuleFile::MakeDescription(uint64_t address) {
  if (!Usable()) return WithoutSymbol(address);
  if (locator_ == nullptr) return FunctionName(address);
  const symbolizer::SourceLocation location = locator_->Locate(address);
  if (location.function.empty())
    return WithPlace(FunctionName(address), location.file, location.line);
  return WithPlace(location.function, location.file, location.line);
}

ModuleFile* ModuleFiles::Get(const std::string& path, const std::string& build_id) {
  std::unique_ptr<ModuleFile>& file = files_[{path, build_id}];
  if (file == nullptr) file = std::make_unique<ModuleFile>(path, build_id, source_locations_);
  return file.get();
}

}  // namespace autotrace::exporter
