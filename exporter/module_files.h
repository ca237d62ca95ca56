// The binaries that a run's addresses point into, opened once however many processes of the run
// loaded them: names, files and lines of link-time addresses.
#ifndef AUTOTRACE_EXPORTER_MODULE_FILES_H_
#define AUTOTRACE_EXPORTER_MODULE_FILES_H_

#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "exporter/span.h"

namespace autotrace::symbolizer {
class ModuleImage;
class SourceLocator;
}  // namespace autotrace::symbolizer

namespace autotrace::exporter {

// One binary. Opened at the first question. Addresses are link-time ones.
class ModuleFile {
 public:
  // `build_id`: raw bytes as recorded; empty: not known, then whatever is at `path` is used.
  ModuleFile(std::string path, std::string build_id, bool source_locations);
  ~ModuleFile();

  const std::string& path() const { return path_; }

  // Qualified name of the function that starts at (or contains) this address; "module+0xoffset"
  // when there is none or the file is another one than at the time of the run. Then no longer than
  // a file's name can be and the number, whatever was recorded as path.
  std::string FunctionName(uint64_t address);
  // Fills in file and line of the function that starts at this address, when they are known.
  void LocateFunction(uint64_t address, Function* function);
  // "function (file:line)" of a call; `address` lies inside the call instruction. Remembered.
  const std::string& DescribeCall(uint64_t address);

 private:
  bool Usable();
  std::string WithoutSymbol(uint64_t address) const;
  std::string MakeDescription(uint64_t address);

  const std::string path_;
  const std::string build_id_;
  const bool source_locations_;
  bool opened_ = false;
  bool usable_ = false;
  std::unique_ptr<symbolizer::ModuleImage> image_;
  std::unique_ptr<symbolizer::SourceLocator> locator_;
  absl::flat_hash_map<uint64_t, std::string> calls_;
};

class ModuleFiles {
 public:
  // Without `source_locations` only symbol tables are read: names, but no files and lines.
  explicit ModuleFiles(bool source_locations) : source_locations_(source_locations) {}

  // Never null; lives as long as this object.
  ModuleFile* Get(const std::string& path, const std::string& build_id);

 private:
  const bool source_locations_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<ModuleFile>> files_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_MODULE_FILES_H_
