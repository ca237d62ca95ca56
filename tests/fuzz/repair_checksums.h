// For mutators: puts the checksums of a block stream right again. Without that, next to no changed
// input would get past the block parser.
#ifndef AUTOTRACE_TESTS_FUZZ_REPAIR_CHECKSUMS_H_
#define AUTOTRACE_TESTS_FUZZ_REPAIR_CHECKSUMS_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <cstddef>

#include "runtime/block_stream.h"
#include "runtime/trace_format.h"

// libFuzzer's own mutator, for custom ones to use.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace autotrace::fuzz {

// Every block that starts between `begin` and `end`, as far as it goes. A size that reaches beyond
// the end is set to what is there, in seven cases of eight (`seed` decides).
inline void RepairChecksums(uint8_t* data, size_t begin, size_t end, unsigned seed) {
  format::BlockHeader header;
  for (size_t at = begin; at < end && end - at >= sizeof(header);) {
    memcpy(&header, data + at, sizeof(header));
    if (header.magic != format::kBlockMagic) {
      at += 8;
      continue;
    }
    const size_t rest = end - at - sizeof(header);
    if (header.size > rest && seed++ % 8 != 0) header.size = static_cast<uint32_t>(rest);
    const size_t size = std::min<size_t>(header.size, rest);
    header.crc32c = Crc32c(data + at + sizeof(header), size);
    memcpy(data + at, &header, sizeof(header));
    at += sizeof(header) + PadTo8(size);
  }
}

}  // namespace autotrace::fuzz

#endif  // AUTOTRACE_TESTS_FUZZ_REPAIR_CHECKSUMS_H_
