// For mutators: puts the checksums of a pack's frames right again, as repair_checksums.h does those
// of blocks. What the packed bytes unpack to is checked as well; that is for the fuzzer to find
// out.
#ifndef AUTOTRACE_TESTS_FUZZ_REPAIR_FRAMES_H_
#define AUTOTRACE_TESTS_FUZZ_REPAIR_FRAMES_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <string_view>

#include "exporter/pack_format.h"
#include "exporter/pack_frame.h"
#include "runtime/block_stream.h"

// libFuzzer's own mutator, for custom ones to use.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace autotrace::fuzz {

inline void RepairFrames(uint8_t* data, size_t end) {
  using exporter::FrameHeader;
  constexpr size_t kChecked = offsetof(FrameHeader, kind);
  FrameHeader header;
  for (size_t at = sizeof(exporter::PackHeader); at < end && end - at >= sizeof(header);) {
    memcpy(&header, data + at, sizeof(header));
    const size_t rest = end - at - sizeof(header);
    if (header.magic != exporter::kFrameMagic || PadTo8(header.name_size) > rest) {
      at += 8;
      continue;
    }
    const size_t place = at + PadTo8(sizeof(header) + header.name_size);
    header.packed_size = static_cast<uint32_t>(std::min<size_t>(header.packed_size, end - place));
    const auto* packed = reinterpret_cast<const char*>(data + place);
    header.packed_crc32c = Crc32c(packed, header.packed_size);
    if (const auto bytes = exporter::UnpackFrame({packed, header.packed_size}, header.size);
        bytes.ok()) {
      header.crc32c = Crc32c(bytes->data(), bytes->size());
    }
    memcpy(data + at, &header, sizeof(header));
    header.header_crc32c =
        Crc32c(data + at + kChecked, sizeof(header) + header.name_size - kChecked);
    memcpy(data + at, &header, sizeof(header));
    at = place + PadTo8(header.packed_size);
  }
}

}  // namespace autotrace::fuzz

#endif  // AUTOTRACE_TESTS_FUZZ_REPAIR_FRAMES_H_
