#include "runtime/sent_file.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "runtime/block_stream.h"
#include "runtime/private_files.h"
#include "runtime/write_without_signal.h"

namespace autotrace {
namespace {

format::SentSlot MakeSlot(uint64_t generation, const SentState& state) {
  format::SentSlot slot = {generation, state.position, state.spans,
                           state.all ? uint32_t{format::kSentAll} : 0, 0};
  slot.crc32c = Crc32c(&slot, offsetof(format::SentSlot, crc32c));
  return slot;
}

size_t PlaceOf(uint64_t generation) {
  return sizeof(format::SentHeader) + generation % 2 * sizeof(format::SentSlot);
}

}  // namespace

bool ParseSentFile(std::string_view bytes, uint64_t process_key, SentFileContent* content) {
  format::SentHeader header;
  if (bytes.size() < sizeof(header)) return false;
  memcpy(&header, bytes.data(), sizeof(header));
  if (memcmp(header.magic, format::kSentMagic, sizeof(header.magic)) != 0 ||
      header.version != format::kVersion || header.header_size < sizeof(header) ||
      header.process_key != process_key) {
    return false;
  }
  *content = {};
  content->is_spool = (header.flags & format::kSentSpool) != 0;
  for (uint64_t i = 0; i < 2; ++i) {
    const uint64_t at = header.header_size + i * sizeof(format::SentSlot);
    format::SentSlot slot;
    if (at + sizeof(slot) > bytes.size()) break;
    memcpy(&slot, bytes.data() + at, sizeof(slot));
    if (slot.generation <= content->generation ||
        slot.crc32c != Crc32c(&slot, offsetof(format::SentSlot, crc32c))) {
      continue;
    }
    content->generation = slot.generation;
    content->state = {slot.position, slot.spans, (slot.state & format::kSentAll) != 0};
  }
  return true;
}

bool SentFile::Create(int folder, const std::string& path, uint64_t process_key, bool is_spool,
                      const SentState& state) {
  const std::lock_guard lock(mutex_);
  const std::string name = path.substr(path.rfind('/') + 1);
  if (!file_.Adopt(MakePrivateFile(folder, name, O_RDWR))) return false;
  path_ = path;
  process_key_ = process_key;
  is_spool_ = is_spool;
  generation_ = 1;
  state_ = state;
  format::SentHeader header = {};
  memcpy(header.magic, format::kSentMagic, sizeof(header.magic));
  header.version = format::kVersion;
  header.header_size = sizeof(header);
  header.process_key = process_key;
  header.flags = is_spool ? uint32_t{format::kSentSpool} : 0;
  const format::SentSlot slots[2] = {{}, MakeSlot(generation_, state)};
  std::string bytes;
  AppendStruct(&bytes, header);
  AppendStruct(&bytes, slots);
  if (WriteWithoutSignal(file_.number(), bytes) == static_cast<ssize_t>(bytes.size())) return true;
  unlinkat(folder, name.c_str(), 0);
  file_.Close();
  return false;
}

bool SentFile::Adopt(int opened, const std::string& path, uint64_t process_key) {
  const std::lock_guard lock(mutex_);
  if (!file_.Adopt(opened)) return false;
  path_ = path;
  process_key_ = process_key;
  if (Read()) return true;
  file_.Close();
  path_.clear();
  return false;
}

bool SentFile::Reread() {
  const std::lock_guard lock(mutex_);
  return file_.IsOpen() && Read();
}

bool SentFile::Read() {
  char bytes[kSentFileBytes];
  const ssize_t got = pread(file_.number(), bytes, sizeof(bytes), 0);
  SentFileContent content;
  format::SentHeader header = {};
  if (got == sizeof(bytes)) memcpy(&header, bytes, sizeof(header));
  if (header.header_size != sizeof(header) ||
      !ParseSentFile({bytes, sizeof(bytes)}, process_key_, &content)) {
    return false;
  }
  is_spool_ = content.is_spool;
  generation_ = content.generation;
  state_ = content.state;
  return true;
}

SentState SentFile::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void SentFile::Store(const SentState& state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  if (path_.empty()) return;  // not made yet, or removed
  if (!file_.IsOpen() && !file_.Readopt(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW))) {
    return;
  }
  const format::SentSlot slot = MakeSlot(++generation_, state);
  [[maybe_unused]] const ssize_t written =
      pwrite(file_.number(), &slot, sizeof(slot), static_cast<off_t>(PlaceOf(generation_)));
}

void SentFile::Remove(int folder) {
  const std::lock_guard lock(mutex_);
  if (path_.empty()) return;
  unlinkat(folder, path_.substr(path_.rfind('/') + 1).c_str(), 0);
  file_.Close();
  path_.clear();
}

}  // namespace autotrace
