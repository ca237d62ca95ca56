#include "exporter/pack_frame.h"

#include <string.h>
#include <zstd.h>

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "exporter/byte_order.h"
#include "exporter/pack_columns.h"
#include "runtime/block_stream.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {
namespace {

using format::BlockHeader;
using format::BlockKind;
using format::RecordsHeader;

enum Method : char { kPlain = 0, kColumns = 1 };

// Method 1's streams in front of the columns.
struct Blocks {
  std::string layout;    // per block: kind, size, and of kRecords the header
  std::string payloads;  // of all other blocks
  PackColumnWriter columns;
};

absl::Status Damaged() { return absl::DataLossError("the packed run is damaged"); }

// ---- Writing -----------------------------------------------------------------------------------

void AppendStream(std::string* frame, std::string_view bytes, int level) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), level);
  // Fails without memory only.
  packed.resize(ZSTD_isError(size) != 0 ? 0 : size);
  AppendNumber(frame, bytes.size());
  AppendNumber(frame, packed.size());
  frame->append(packed);
}

void AppendRecordsHeader(std::string* layout, const RecordsHeader& header, uint64_t* last_ticks) {
  AppendNumber(layout, header.thread_index);
  AppendNumber(layout, header.chunk_sequence);
  AppendNumber(layout, header.chunk_offset);
  AppendNumber(layout, header.reserved);
  AppendNumber(layout, header.ticks - *last_ticks);
  *last_ticks = header.ticks;
}

// Takes one whole block that is as its writer makes it: with nothing in its padding and its
// checksum.
bool TakeBlock(std::string_view* bytes, BlockHeader* header, std::string_view* payload) {
  if (!Take(bytes, header) || header->magic != format::kBlockMagic || header->reserved != 0) {
    return false;
  }
  const size_t padded = PadTo8(header->size);
  if (header->size > format::kMaxBlockSize || padded > bytes->size()) return false;
  *payload = bytes->substr(0, header->size);
  for (size_t i = header->size; i < padded; ++i) {
    if ((*bytes)[i] != '\0') return false;
  }
  bytes->remove_prefix(padded);
  return Crc32c(payload->data(), payload->size()) == header->crc32c;
}

// Nothing when these are not blocks, or records, as they are written.
std::optional<Blocks> TakeApart(std::string_view bytes) {
  Blocks blocks;
  uint64_t last_ticks = 0;
  while (!bytes.empty()) {
    BlockHeader header;
    std::string_view payload;
    if (!TakeBlock(&bytes, &header, &payload)) return std::nullopt;
    AppendNumber(&blocks.layout, header.kind);
    AppendNumber(&blocks.layout, header.size);
    if (header.kind != static_cast<uint16_t>(BlockKind::kRecords)) {
      blocks.payloads.append(payload);
      continue;
    }
    RecordsHeader records;
    if (!Take(&payload, &records)) return std::nullopt;
    AppendRecordsHeader(&blocks.layout, records, &last_ticks);
    if (!blocks.columns.Add(records.thread_index, payload)) return std::nullopt;
  }
  return blocks;
}

// ---- Reading -----------------------------------------------------------------------------------

// Streams may say any size: together no more than `budget`, from which theirs is taken.
bool TakeStream(std::string_view* frame, size_t* budget, std::string* bytes) {
  uint64_t size = 0;
  uint64_t packed_size = 0;
  if (!TakeNumber(frame, &size) || !TakeNumber(frame, &packed_size) || size > *budget ||
      packed_size > frame->size()) {
    return false;
  }
  *budget -= size;
  bytes->resize(size);
  const size_t unpacked = ZSTD_decompress(bytes->data(), size, frame->data(), packed_size);
  frame->remove_prefix(packed_size);
  return ZSTD_isError(unpacked) == 0 && unpacked == size;
}

bool TakeRecordsHeader(std::string_view* layout, uint64_t* last_ticks, RecordsHeader* header) {
  uint64_t numbers[5];
  for (uint64_t& number : numbers) {
    if (!TakeNumber(layout, &number)) return false;
  }
  *last_ticks += numbers[4];
  *header = {static_cast<uint32_t>(numbers[0]), static_cast<uint32_t>(numbers[1]),
             static_cast<uint32_t>(numbers[2]), static_cast<uint32_t>(numbers[3]), *last_ticks};
  return true;
}

// Puts the blocks together again; false when the streams do not hold `size` bytes of them.
bool PutTogether(std::string_view layout, std::string_view payloads, const PackColumns& columns,
                 size_t size, std::string* bytes) {
  PackColumnReader reader(columns);
  uint64_t last_ticks = 0;
  std::string payload;
  while (bytes->size() < size) {
    uint64_t kind = 0;
    uint64_t payload_size = 0;
    if (!TakeNumber(&layout, &kind) || !TakeNumber(&layout, &payload_size) ||
        payload_size > size - bytes->size()) {
      return false;
    }
    payload.clear();
    if (kind == static_cast<uint16_t>(BlockKind::kRecords)) {
      RecordsHeader header;
      if (payload_size < sizeof(header) || !TakeRecordsHeader(&layout, &last_ticks, &header)) {
        return false;
      }
      AppendStruct(&payload, header);
      if (!reader.Take(header.thread_index, payload_size - sizeof(header), &payload)) return false;
    } else {
      if (payload_size > payloads.size()) return false;
      payload = payloads.substr(0, payload_size);
      payloads.remove_prefix(payload_size);
    }
    AppendBlock(bytes, static_cast<BlockKind>(kind), payload);
  }
  return bytes->size() == size;
}

}  // namespace

std::string PackFrame(std::string_view bytes, int level) {
  std::string frame;
  const std::optional<Blocks> blocks = TakeApart(bytes);
  if (!blocks.has_value()) {
    frame.push_back(kPlain);
    AppendStream(&frame, bytes, level);
    return frame;
  }
  frame.push_back(kColumns);
  AppendStream(&frame, blocks->layout, level);
  AppendStream(&frame, blocks->payloads, level);
  for (const std::string& column : blocks->columns.columns()) AppendStream(&frame, column, level);
  return frame;
}

absl::StatusOr<std::string> UnpackFrame(std::string_view frame, size_t size) {
  char method = 0;
  if (size > kMaxFrameBytes || !Take(&frame, &method)) return Damaged();
  std::string bytes;
  size_t budget = size;
  if (method == kPlain) {
    if (!TakeStream(&frame, &budget, &bytes) || bytes.size() != size) return Damaged();
    return bytes;
  }
  if (method != kColumns) return Damaged();
  // Columns are smaller than the records that they make, but not each by itself.
  budget = 2 * size;
  std::string layout;
  std::string payloads;
  PackColumns columns;
  if (!TakeStream(&frame, &budget, &layout) || !TakeStream(&frame, &budget, &payloads)) {
    return Damaged();
  }
  for (std::string& column : columns) {
    if (!TakeStream(&frame, &budget, &column)) return Damaged();
  }
  if (!PutTogether(layout, payloads, columns, size, &bytes)) return Damaged();
  return bytes;
}

}  // namespace autotrace::exporter
