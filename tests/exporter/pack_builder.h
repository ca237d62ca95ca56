// Makes packs of files that are in memory, for tests.
#ifndef AUTOTRACE_TESTS_EXPORTER_PACK_BUILDER_H_
#define AUTOTRACE_TESTS_EXPORTER_PACK_BUILDER_H_

#include <fcntl.h>

#include <map>
#include <stdexcept>
#include <string>

#include "exporter/byte_source.h"
#include "exporter/file_access.h"
#include "exporter/pack_writer.h"
#include "tests/support/test_files.h"

namespace autotrace::testing {

using Files = std::map<std::string, std::string>;  // by name

// The bytes of a pack of these files. Throws std::runtime_error when it cannot be made.
inline std::string MakePack(const Files& files, const std::string& run_name) {
  const auto require = [](bool holds) {
    if (!holds) throw std::runtime_error("cannot make a pack");
  };
  const test::TemporaryFolder folder;
  const std::string path = folder / "pack";
  const exporter::FileHandle file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  exporter::PackWriter writer(file.get(), 3);
  require(writer.Begin().ok());
  for (const auto& [name, content] : files) {
    absl::StatusOr<exporter::OpenedFile> opened =
        exporter::OpenForReading(folder.Write("member", content));
    require(opened.ok());
    exporter::FileSource source(*std::move(opened));
    require(writer.AddMember(name, &source).ok());
  }
  require(writer.Finish(run_name).ok());
  return test::ReadFile(path);
}

}  // namespace autotrace::testing

#endif  // AUTOTRACE_TESTS_EXPORTER_PACK_BUILDER_H_
