// Input: a ring file, as a killed program leaves it. It is copied and decoded as the reader does
// with what no segment holds. The process that it has to belong to is the one that it names.
#include <string.h>
#include <unistd.h>

#include <string>

#include "exporter/ring_blocks.h"
#include "exporter/ring_snapshot.h"
#include "exporter/span_decoder.h"
#include "runtime/trace_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/touching_sink.h"
#include "tests/support/test_files.h"
#ifdef AUTOTRACE_FUZZ
#include "tests/fuzz/repair_checksums.h"
#endif

namespace autotrace::fuzz {
namespace {

using format::BlockKind;
using format::RingHeader;

uint64_t Field(std::string_view bytes, size_t offset) {
  uint64_t value = 0;
  if (bytes.size() >= offset + sizeof(value)) memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

// Rings are not read through links, so this one needs a name.
exporter::RingIdentity WriteRing(std::string_view bytes) {
  static const test::TemporaryFolder folder;
  exporter::RingIdentity identity;
  identity.path = folder.Write("ring", bytes);
  identity.process_key = Field(bytes, offsetof(RingHeader, process_key));
  identity.pid = Field(bytes, offsetof(RingHeader, pid));
  identity.kernel_start_time = Field(bytes, offsetof(RingHeader, kernel_start_time));
  identity.owner = geteuid();
  return identity;
}

void Decode(const exporter::RingSnapshot& ring) {
  TouchingSink sink;
  exporter::Coverage coverage(ring);
  exporter::SpanDecoder decoder(exporter::DecodeOptions{false, 1, nullptr});
  exporter::VisitRingMetadata(ring, [&](uint16_t kind, std::string_view payload) {
    decoder.Prescan(kind, payload);
    // No recorder writes records there; here they stand for those of segments.
    if (kind == static_cast<uint16_t>(BlockKind::kRecords)) coverage.Add(payload);
  });
  const auto decode = [&](uint16_t kind, std::string_view payload) {
    decoder.Block(kind, payload, sink).IgnoreError();
  };
  exporter::VisitRingMetadata(ring, decode);
  exporter::VisitRingRecords(ring, coverage, decode);
  Require(decoder.End(sink).ok() && sink.Finish().ok(), "only a sink makes the end fail");
}

}  // namespace

void TestInput(std::string_view bytes) {
  const absl::StatusOr<exporter::RingSnapshot> ring = exporter::CopyRing(WriteRing(bytes));
  if (ring.ok()) {
    Decode(*ring);
  } else {
    Require(!ring.status().message().empty(), "an error says what is wrong");
  }
}

}  // namespace autotrace::fuzz

#ifdef AUTOTRACE_FUZZ
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) autotrace::fuzz::RepairChecksums(data, 0, size, seed);
  return size;
}
#endif
