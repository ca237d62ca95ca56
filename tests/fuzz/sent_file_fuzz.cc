// Input: a process's ".sent" file, which says how much of it was sent.
#include <stddef.h>
#include <string.h>

#include <string>

#include "runtime/block_stream.h"
#include "runtime/sent_file.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/sent_file_seeds.h"

namespace autotrace::fuzz {

void TestInput(std::string_view bytes) {
  // A copy of its own: a read beyond it is then a read beyond an allocation.
  const std::string file(bytes);
  SentFileContent content;
  if (!ParseSentFile(file, kSentFileKey, &content)) return;
  if (content.generation == 0) {
    Require(content.state.position == 0 && content.state.spans == 0 && !content.state.all,
            "without a slot that holds nothing was sent");
  }
  // A slot holds because its checksum is right: it can be damaged in no place.
  format::SentHeader header;
  memcpy(&header, file.data(), sizeof(header));
  for (size_t at = header.header_size; at + sizeof(format::SentSlot) <= file.size();
       at += sizeof(format::SentSlot)) {
    format::SentSlot slot;
    memcpy(&slot, file.data() + at, sizeof(slot));
    if (content.generation == 0 || slot.generation != content.generation ||
        slot.crc32c != Crc32c(&slot, offsetof(format::SentSlot, crc32c))) {
      continue;
    }
    for (size_t i = at; i < at + sizeof(slot); ++i) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
      SentFileContent other;
      Require(ParseSentFile(damaged, kSentFileKey, &other), "only the header decides what it is");
      Require(other.generation <= content.generation, "damage makes no newer state");
    }
    break;
  }
}

}  // namespace autotrace::fuzz
