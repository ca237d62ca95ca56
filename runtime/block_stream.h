// Writes the blocks of trace_format.h into memory. Used by the runtime (ring metadata, segments),
// by recovery (segments) and by tests that make streams of their own. Reading is
// exporter/block_parser.h.
#ifndef AUTOTRACE_RUNTIME_BLOCK_STREAM_H_
#define AUTOTRACE_RUNTIME_BLOCK_STREAM_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string>
#include <string_view>

#include "runtime/trace_format.h"

namespace autotrace {

// CRC-32C (Castagnoli; RFC 3720 appendix B.4). Uses the processor's instruction where it has one.
uint32_t Crc32c(const void* data, size_t size, uint32_t crc = 0);

constexpr size_t PadTo8(size_t size) { return (size + 7) & ~size_t{7}; }

// The beginning of a segment file of this version.
format::SegmentHeader MakeSegmentHeader(uint64_t process_key, uint32_t index);

// Fills in the header of a block whose payload is head followed by body.
format::BlockHeader MakeBlockHeader(format::BlockKind kind, std::string_view head,
                                    std::string_view body);
// The same of a payload in one piece.
format::BlockHeader MakeBlockHeader(format::BlockKind kind, const void* payload, size_t size);

// Appends a whole block, padding included.
void AppendBlock(std::string* out, format::BlockKind kind, std::string_view payload);

// Payload helpers.
template <typename T>
void AppendStruct(std::string* out, const T& value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}
inline void AppendPadding(std::string* out) { out->resize(PadTo8(out->size())); }
void AppendProcessText(std::string* out, format::ProcessKey key, std::string_view value);
void AppendProcessNumber(std::string* out, format::ProcessKey key, uint64_t value);

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_BLOCK_STREAM_H_
