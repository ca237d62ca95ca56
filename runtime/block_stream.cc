#include "runtime/block_stream.h"

#include <array>

namespace autotrace {
namespace {

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

uint32_t CrcByTable(const unsigned char* data, size_t size, uint32_t crc) {
  for (size_t i = 0; i < size; ++i) crc = (crc >> 8) ^ kCrcTable[(crc ^ data[i]) & 0xff];
  return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) uint32_t CrcByInstruction(const unsigned char* data, size_t size,
                                                            uint32_t crc) {
  uint64_t state = crc;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    state = __builtin_ia32_crc32di(state, word);
  }
  uint32_t rest = static_cast<uint32_t>(state);
  for (; size > 0; ++data, --size) rest = __builtin_ia32_crc32qi(rest, *data);
  return rest;
}
#endif

}  // namespace

uint32_t Crc32c(const void* data, size_t size, uint32_t crc) {
  const auto* bytes = static_cast<const unsigned char*>(data);
#ifdef __x86_64__
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~CrcByInstruction(bytes, size, ~crc);
#endif
  return ~CrcByTable(bytes, size, ~crc);
}

format::SegmentHeader MakeSegmentHeader(uint64_t process_key, uint32_t index) {
  format::SegmentHeader header = {};
  memcpy(header.magic, format::kSegmentMagic, sizeof(header.magic));
  header.version = format::kVersion;
  header.header_size = sizeof(header);
  header.process_key = process_key;
  header.index = index;
  return header;
}

format::BlockHeader MakeBlockHeader(format::BlockKind kind, std::string_view head,
                                    std::string_view body) {
  return {format::kBlockMagic, static_cast<uint16_t>(kind), 0,
          static_cast<uint32_t>(head.size() + body.size()),
          Crc32c(body.data(), body.size(), Crc32c(head.data(), head.size()))};
}

format::BlockHeader MakeBlockHeader(format::BlockKind kind, const void* payload, size_t size) {
  return MakeBlockHeader(kind, {static_cast<const char*>(payload), size}, {});
}

void AppendBlock(std::string* out, format::BlockKind kind, std::string_view payload) {
  AppendStruct(out, MakeBlockHeader(kind, payload.data(), payload.size()));
  out->append(payload);
  out->append(PadTo8(payload.size()) - payload.size(), '\0');
}

void AppendProcessText(std::string* out, format::ProcessKey key, std::string_view value) {
  const uint32_t head[2] = {static_cast<uint32_t>(key), static_cast<uint32_t>(value.size())};
  AppendStruct(out, head);
  out->append(value);
  out->append(PadTo8(value.size()) - value.size(), '\0');
}

void AppendProcessNumber(std::string* out, format::ProcessKey key, uint64_t value) {
  AppendProcessText(out, key, {reinterpret_cast<const char*>(&value), sizeof(value)});
}

}  // namespace autotrace
