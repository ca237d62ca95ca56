// Input: a packed run. Its frames are found, its files are read, and its processes are described
// and decoded to spans, as the command does.
#include <algorithm>
#include <memory>
#include <string>

#include "exporter/pack_reader.h"
#include "exporter/run_reader.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/touching_sink.h"
#include "tests/support/test_files.h"
#ifdef AUTOTRACE_FUZZ
#include "tests/fuzz/repair_frames.h"
#endif

namespace autotrace::fuzz {
namespace {

// In one piece and in small ones: both have to give the same.
void ReadMember(const exporter::PackReader& pack, const std::string& name, uint64_t size) {
  const auto whole = pack.OpenMember(name);
  const auto pieces = pack.OpenMember(name);
  Require(whole.ok() && pieces.ok(), "a member can be opened");
  constexpr size_t kPiece = 4096 + 5;
  std::string left(kPiece, '\0');
  std::string right(kPiece, '\0');
  for (uint64_t offset = 0; offset < size;) {
    const size_t wanted = std::min<uint64_t>(kPiece, size - offset);
    const size_t got = (*pieces)->ReadAt(offset, left.data(), 1, wanted);
    Require(got > 0 && got <= wanted, "a member is as long as it says");
    Require((*whole)->ReadAt(offset, right.data(), got, got) == got &&
                left.substr(0, got) == right.substr(0, got),
            "bytes are the same however they are read");
    offset += got;
  }
  Require((*whole)->ReadAt(size, left.data(), 1, 1) == 0, "nothing follows a member's end");
}

}  // namespace

void TestInput(std::string_view bytes) {
  static const test::TemporaryFolder folder;
  const std::string path = folder.Write("run.atpack", bytes);
  const auto pack = exporter::PackReader::Open(path);
  if (!pack.ok()) {
    Require(!pack.status().message().empty(), "an error says what is wrong");
    return;
  }
  uint64_t total = 0;
  for (const auto& [name, member] : (*pack)->members()) {
    Require(name.find('/') == std::string::npos, "no name leads out of the folder");
    total += member.size;
    ReadMember(**pack, name, member.size);
  }
  Require(total <= exporter::kMostPacking * (bytes.size() + 1) * 2,
          "a pack says no more than its size allows");
  absl::StatusOr<exporter::Run> run = exporter::FindRun("", path);
  if (!run.ok()) return;
  exporter::ReadOptions options;
  options.source_locations = false;
  exporter::RunReader reader(*std::move(run), options);
  TouchingSink sink;
  Require(reader.Read(sink).ok(), "only a sink makes reading fail");
  for (const std::string& warning : reader.statistics().warnings) Touch(warning);
}

}  // namespace autotrace::fuzz

#ifdef AUTOTRACE_FUZZ
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) autotrace::fuzz::RepairFrames(data, size);
  return size;
}
#endif
