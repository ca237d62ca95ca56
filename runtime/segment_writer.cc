#include "runtime/segment_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/block_stream.h"
#include "runtime/process_facts.h"

namespace autotrace {
namespace {

bool BelongsInPreamble(format::BlockKind kind) {
  return kind == format::BlockKind::kProcess || kind == format::BlockKind::kModule ||
         kind == format::BlockKind::kFunctions || kind == format::BlockKind::kThread;
}

uint32_t CrcOf(std::string_view head, std::string_view body) {
  return Crc32c(body.data(), body.size(), Crc32c(head.data(), head.size()));
}

// writev(2) for any thread: growing past RLIMIT_FSIZE is an error and nothing else. (It raises
// SIGXFSZ, which the background thread blocks, and other threads that write here do not.)
ssize_t WriteWithoutSignal(int file, const iovec* pieces, int count) {
  sigset_t too_large;
  sigset_t before;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &too_large, &before);
  const ssize_t written = writev(file, pieces, count);
  const int error = errno;
  if (sigismember(&before, SIGXFSZ) == 0) {
    const timespec at_once = {0, 0};
    if (written < 0 && error == EFBIG) sigtimedwait(&too_large, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  errno = error;
  return written;
}

}  // namespace

SegmentWriter::SegmentWriter(const Options& options) : options_(options) {
  stem_ = options_.folder + "/" + std::to_string(getpid()) + "-" + HexDigits(options_.process_key);
  options_.segment_bytes =
      std::min(options_.segment_bytes, std::max<uint64_t>(options_.max_run_bytes / 8, 1 << 20));
  if (OpenNext()) WriteBeginning();
}

SegmentWriter::~SegmentWriter() {
  if (file_ >= 0 && IsStillOurs()) close(file_);
}

std::string SegmentWriter::PathOf(uint32_t index) const {
  char number[16];
  snprintf(number, sizeof(number), ".%06u.seg", index);
  return stem_ + number;
}

bool SegmentWriter::OpenNext() {
  const uint32_t index = segments_.empty() ? 0 : segments_.back().index + 1;
  if (file_ >= 0 && IsStillOurs()) close(file_);
  file_ = open(PathOf(index).c_str(),
               O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat status;
  if (file_ < 0 || fstat(file_, &status) != 0) {
    if (error_ == 0) error_ = errno;
    return false;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  segments_.push_back({index, 0, 0});
  return true;
}

bool SegmentWriter::WriteBeginning() {
  const format::SegmentHeader header =
      MakeSegmentHeader(options_.process_key, segments_.back().index);
  std::string beginning(reinterpret_cast<const char*>(&header), sizeof(header));
  beginning += preamble_;
  for (const auto& [id, blocks] : modules_) beginning += blocks.loaded + blocks.unloaded;
  return Write(beginning, {}, clock_);
}

void SegmentWriter::AddToBeginning(format::BlockKind kind, std::string_view payload) {
  format::ModuleEntry entry;
  if (kind != format::BlockKind::kModule || payload.size() < sizeof(entry)) {
    return AppendBlock(&preamble_, kind, payload);
  }
  memcpy(&entry, payload.data(), sizeof(entry));
  ModuleBlocks& blocks = modules_[entry.id];
  std::string& last =
      (entry.flags & format::kModuleUnloaded) != 0 ? blocks.unloaded : blocks.loaded;
  if (&last == &blocks.loaded) blocks.unloaded.clear();
  last.clear();
  AppendBlock(&last, kind, payload);
}

bool SegmentWriter::IsStillOurs() const {
  struct stat status;
  return fstat(file_, &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

// The program closed our descriptor, and may have opened something else under its number.
bool SegmentWriter::Reopen() {
  if (segments_.empty()) return OpenNext();
  file_ =
      open(PathOf(segments_.back().index).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (file_ < 0) {
    if (error_ == 0) error_ = errno;
    return false;
  }
  if (IsStillOurs()) return true;
  close(file_);
  file_ = -1;
  if (error_ == 0) error_ = ESTALE;
  return false;
}

bool SegmentWriter::Write(std::string_view head, std::string_view body, std::string_view tail) {
  iovec pieces[3] = {{const_cast<char*>(head.data()), head.size()},
                     {const_cast<char*>(body.data()), body.size()},
                     {const_cast<char*>(tail.data()), tail.size()}};
  iovec* piece = pieces;
  iovec* const end = pieces + 3;
  const uint64_t whole_bytes = segments_.back().bytes;
  while (piece != end) {
    if (piece->iov_len == 0) {
      ++piece;
      continue;
    }
    const ssize_t written = WriteWithoutSignal(file_, piece, static_cast<int>(end - piece));
    if (written < 0) {
      if (errno == EINTR) continue;
      if (error_ == 0) error_ = errno;
      // Half a block would hide the next ones from readers. Failing here only costs them a search.
      own_bytes_ -= segments_.back().bytes - whole_bytes;
      segments_.back().bytes = whole_bytes;
      [[maybe_unused]] const int ignored = ftruncate(file_, static_cast<off_t>(whole_bytes));
      return false;
    }
    segments_.back().bytes += static_cast<uint64_t>(written);
    own_bytes_ += static_cast<uint64_t>(written);
    for (auto left = static_cast<size_t>(written); left > 0 && piece != end;) {
      const size_t part = std::min(left, piece->iov_len);
      piece->iov_base = static_cast<char*>(piece->iov_base) + part;
      piece->iov_len -= part;
      left -= part;
      if (piece->iov_len == 0) ++piece;
    }
  }
  return true;
}

bool SegmentWriter::WriteBlock(format::BlockKind kind, std::string_view head,
                               std::string_view body) {
  const size_t size = head.size() + body.size();
  const format::BlockHeader header = {format::kBlockMagic, static_cast<uint16_t>(kind), 0,
                                      static_cast<uint32_t>(size), CrcOf(head, body)};
  std::string start(reinterpret_cast<const char*>(&header), sizeof(header));
  start.append(head);
  static constexpr char kZeros[8] = {};
  return Write(start, body, {kZeros, PadTo8(size) - size});
}

bool SegmentWriter::Block(format::BlockKind kind, std::string_view head, std::string_view body,
                          uint64_t spans) {
  const bool in_preamble = BelongsInPreamble(kind);
  if (in_preamble) {
    std::string payload(head);
    payload.append(body);
    AddToBeginning(kind, payload);
  }
  if (kind == format::BlockKind::kClock) {
    clock_.clear();
    AppendBlock(&clock_, kind, head);
  }
  const bool is_open = file_ >= 0 && IsStillOurs();
  if (!is_open && !Reopen()) return false;
  if (segments_.back().bytes >= options_.segment_bytes) {
    if (!OpenNext()) return false;
    KeepToLimit();
  }
  // Also one whose beginning found no room at the time.
  if (segments_.back().bytes == 0) {
    if (!WriteBeginning()) return false;
    if (in_preamble) return true;
  }
  if (!WriteBlock(kind, head, body)) return false;
  segments_.back().spans += spans;
  return true;
}

void SegmentWriter::KeepToLimit() {
  const uint64_t others = OtherProcessesBytes();
  // The segment being filled counts as full, so that the limit holds until the next time.
  while (segments_.size() > 1 &&
         others + own_bytes_ + options_.segment_bytes > options_.max_run_bytes) {
    const Segment& oldest = segments_.front();
    if (unlink(PathOf(oldest.index).c_str()) != 0 && errno != ENOENT) return;
    removed_spans_ += oldest.spans;
    own_bytes_ -= oldest.bytes;
    segments_.pop_front();
  }
}

uint64_t SegmentWriter::OtherProcessesBytes() const {
  uint64_t bytes = 0;
  DIR* folder = opendir(options_.folder.c_str());
  if (folder == nullptr) return 0;
  const std::string own = stem_.substr(stem_.rfind('/') + 1);
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    struct stat status;
    if (name.ends_with(".seg") && !name.starts_with(own) &&
        fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
      bytes += static_cast<uint64_t>(status.st_size);
    }
  }
  closedir(folder);
  return bytes;
}

bool SegmentWriter::Flush(uint64_t) { return ok(); }

void SegmentWriter::Close(uint64_t) {
  if (file_ >= 0 && IsStillOurs()) close(file_);
  file_ = -1;
}

}  // namespace autotrace
