#include "runtime/segment_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/block_stream.h"
#include "runtime/private_files.h"
#include "runtime/process_facts.h"
#include "runtime/run_folder.h"
#include "runtime/write_without_signal.h"

namespace autotrace {
namespace {

// Kept back on the disk for the end of the recording: so much, or on a small disk a share of it;
// and how far ahead it is asked for.
constexpr uint64_t kLargestReserve = 16 << 10;
constexpr uint64_t kSmallestReserve = 8 << 10;
constexpr uint64_t kReservedShare = 256;
constexpr uint64_t kReserveAhead = 128 << 10;
constexpr uint64_t kMostReserveAhead = 4 << 20;
// More than others write within a few milliseconds.
constexpr uint64_t kPlentyOfRoom = uint64_t{64} << 20;

// Blocks of the recording's end, for which room is kept back.
bool MayUseReserve(format::BlockKind kind, size_t bytes, uint64_t reserve) {
  return kind == format::BlockKind::kCounters || kind == format::BlockKind::kEnd ||
         (kind == format::BlockKind::kOpenFrames && bytes < reserve / 2);
}

uint64_t ReserveFor(const std::string& folder) {
  struct statvfs disk;
  if (statvfs(folder.c_str(), &disk) != 0 || disk.f_blocks == 0) return kLargestReserve;
  return std::clamp(disk.f_blocks * disk.f_frsize / kReservedShare, kSmallestReserve,
                    kLargestReserve);
}

}  // namespace

SegmentWriter::SegmentWriter(const Options& options) : options_(options) {
  stem_ = options_.folder + "/" + std::to_string(getpid()) + "-" + HexDigits(options_.process_key);
  reserve_ = ReserveFor(options_.folder);
  options_.segment_bytes =
      std::min(options_.segment_bytes, std::max<uint64_t>(options_.max_run_bytes / 8, 1 << 20));
  if (!options_.is_spool) Begin();
}

SegmentWriter::~SegmentWriter() = default;

void SegmentWriter::CloseInChild() {
  file_.Close();
  folder_.Close();
}

std::string SegmentWriter::NameOf(uint32_t index) const {
  char number[16];
  snprintf(number, sizeof(number), ".%06u.seg", index);
  return stem_.substr(options_.folder.size() + 1) + number;
}

int SegmentWriter::Folder() {
  if (!folder_.IsOpen()) {
    folder_.Adopt(OpenOwnFolder(options_.folder));
  }
  return folder_.number();
}

bool SegmentWriter::Begin() {
  if (!segments_.empty()) return true;
  bool began = OpenNext();
  // The folder of a launch is removed with its last file, also by another process of it.
  if (!began && options_.is_spool && last_error_ == ENOENT && MakeFolders(options_.folder)) {
    folder_.Close();
    began = OpenNext();
  }
  return began && WriteBeginning();
}

bool SegmentWriter::OpenNext() {
  const uint32_t index = next_index_;
  const int folder = Folder();
  CutOffAt(segments_.empty() ? 0 : segments_.back().bytes);
  const bool has_sent_file =
      folder >= 0 && (options_.sent == nullptr || !segments_.empty() || MakeSentFile());
  if (!has_sent_file || !file_.Adopt(MakePrivateFile(folder, NameOf(index), O_WRONLY | O_APPEND))) {
    last_error_ = errno;
    if (error_ == 0) error_ = errno;
    return false;
  }
  ++next_index_;
  // Refused by some network filesystems; then there are other signs of life.
  [[maybe_unused]] const int ignored = flock(file_.number(), LOCK_SH | LOCK_NB);
  reserved_to_ = 0;
  segments_.push_back({index, 0, 0});
  return true;
}

// Before the first segment: without it nobody would know that there is something to be sent.
bool SegmentWriter::MakeSentFile() {
  if (options_.sent->is_open()) return true;
  return options_.sent->Create(Folder(), stem_ + kSentSuffix, options_.process_key,
                               options_.is_spool, options_.sent->state());
}

bool SegmentWriter::WriteBeginning() {
  const format::SegmentHeader header =
      MakeSegmentHeader(options_.process_key, segments_.back().index);
  return Write({reinterpret_cast<const char*>(&header), sizeof(header)}, beginning_.Blocks(), {});
}

// The program may have closed our descriptor, and somebody may have removed the file.
bool SegmentWriter::EnsureOpen() {
  if (segments_.empty()) return Begin();
  if (!file_.IsOpen()) {
    const int folder = Folder();
    const std::string name = NameOf(segments_.back().index);
    constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    if (folder >= 0 && file_.Readopt(openat(folder, name.c_str(), kFlags))) {
      flock(file_.number(), LOCK_SH | LOCK_NB);
      return true;
    }
    last_error_ = folder >= 0 && faccessat(folder, name.c_str(), F_OK, 0) == 0 ? ESTALE : errno;
    if (last_error_ != ENOENT) {
      if (error_ == 0) error_ = last_error_;
      return false;
    }
  } else if (!file_.IsDeleted()) {
    return true;
  }
  deleted_spans_ += segments_.back().spans;
  own_bytes_ -= segments_.back().bytes;
  segments_.back().spans = 0;
  segments_.back().bytes = 0;
  return OpenNext();
}

void SegmentWriter::CutOffAt(uint64_t bytes) {
  if (!file_.IsOpen()) return;
  [[maybe_unused]] const int ignored = ftruncate(file_.number(), static_cast<off_t>(bytes));
  reserved_to_ = 0;
}

void SegmentWriter::KeepRoom() {
  if (!options_.keep_room_later) return;
  options_.keep_room_later = false;
  if (!segments_.empty() && file_.IsOpen()) Reserve();
}

bool SegmentWriter::HasPlentyOfRoom() const {
  struct statvfs disk;
  return fstatvfs(file_.number(), &disk) == 0 && disk.f_bavail * disk.f_frsize >= kPlentyOfRoom;
}

bool SegmentWriter::Reserve() {
  const uint64_t end = segments_.back().bytes;
  if (end + reserve_ <= reserved_to_ || (options_.keep_room_later && HasPlentyOfRoom()))
    return true;
  // A segment that grows fast is given much at a time: each time costs as much as writing a block.
  const uint64_t ahead = std::clamp(end, kReserveAhead, kMostReserveAhead);
  const uint64_t first = ahead > kReserveAhead && HasPlentyOfRoom() ? ahead : kReserveAhead;
  for (const uint64_t size : {reserve_ + first, reserve_}) {
    if (fallocate(file_.number(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end),
                  static_cast<off_t>(size)) == 0) {
      reserved_to_ = end + size;
      return true;
    }
    if (errno != ENOSPC && errno != EDQUOT) return true;  // not every filesystem can do this
  }
  return false;
}

uint64_t SegmentWriter::Room() const {
  if (segments_.empty() || !file_.IsOpen()) return 0;
  if (last_error_ == EFBIG) {
    rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0) return 0;
    return limit.rlim_cur - std::min<uint64_t>(limit.rlim_cur, segments_.back().bytes);
  }
  struct statvfs disk;
  if (last_error_ != ENOSPC || fstatvfs(file_.number(), &disk) != 0) return 0;
  const uint64_t available = disk.f_bavail * disk.f_frsize;
  // What is set aside counts as used, and is ours.
  const uint64_t ours = reserved_to_ - std::min(reserved_to_, segments_.back().bytes);
  const uint64_t needed = reserve_ + disk.f_frsize;
  return available + ours > needed ? available + ours - needed : 0;
}

bool SegmentWriter::Write(std::string_view head, std::string_view body, std::string_view tail) {
  iovec pieces[3] = {{const_cast<char*>(head.data()), head.size()},
                     {const_cast<char*>(body.data()), body.size()},
                     {const_cast<char*>(tail.data()), tail.size()}};
  return WritePieces(pieces, 3);
}

bool SegmentWriter::WritePieces(iovec* pieces, size_t count) {
  iovec* piece = pieces;
  iovec* const end = pieces + count;
  const uint64_t whole_bytes = segments_.back().bytes;
  while (piece != end) {
    if (piece->iov_len == 0) {
      ++piece;
      continue;
    }
    const ssize_t written =
        WriteWithoutSignal(file_.number(), piece, static_cast<int>(end - piece));
    if (written < 0) {
      if (errno == EINTR) continue;
      last_error_ = errno;
      if (error_ == 0) error_ = errno;
      // Half a block would hide the next ones from readers. Failing here only costs them a search.
      own_bytes_ -= segments_.back().bytes - whole_bytes;
      segments_.back().bytes = whole_bytes;
      CutOffAt(whole_bytes);
      Reserve();
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
  const format::BlockHeader header = MakeBlockHeader(kind, head, body);
  std::string start(reinterpret_cast<const char*>(&header), sizeof(header));
  start.append(head);
  static constexpr char kZeros[8] = {};
  const uint64_t before = segments_.back().bytes;
  if (!Write(start, body, {kZeros, PadTo8(size) - size})) return false;
  return MayUseReserve(kind, size, reserve_) || KeepReserve(before);
}

bool SegmentWriter::KeepReserve(uint64_t before) {
  if (Reserve()) return true;
  last_error_ = ENOSPC;
  if (error_ == 0) error_ = ENOSPC;
  own_bytes_ -= segments_.back().bytes - before;
  segments_.back().bytes = before;
  CutOffAt(before);
  Reserve();
  return false;
}

// Without them records would be taken for those of other modules.
bool SegmentWriter::WriteMissingModules(format::BlockKind next) {
  if (!modules_missing_ || next != format::BlockKind::kRecords) return true;
  const uint64_t before = segments_.back().bytes;
  if (!Write(beginning_.ModuleBlocks(), {}, {}) || !KeepReserve(before)) return false;
  modules_missing_ = false;
  return true;
}

bool SegmentWriter::Block(format::BlockKind kind, std::string_view head, std::string_view body,
                          uint64_t spans) {
  begin_ = end_ = 0;
  if (kind != format::BlockKind::kRecords) {
    // A spool begins with the first records. What comes before is in its beginning.
    if (options_.is_spool && segments_.empty()) {
      beginning_.Remember(kind, head, body);
      return true;
    }
    if (Store(kind, head, body, spans, beginning_.Remember(kind, head, body))) return true;
    if (kind == format::BlockKind::kModule) modules_missing_ = true;
    return false;
  }
  if (!Store(kind, head, body, spans, false)) return false;
  beginning_.RememberRecords(head, body);
  return true;
}

size_t SegmentWriter::RecordsAtOnce(const RecordsBlock* blocks, size_t count) {
  constexpr size_t kMost = 16;
  begin_ = end_ = 0;
  // What has to be written before them is written with the first.
  if (modules_missing_ || !EnsureOpen() || segments_.back().bytes == 0) return 0;
  const uint64_t before = segments_.back().bytes;
  uint64_t bytes = 0;
  uint64_t spans = 0;
  format::BlockHeader headers[kMost];
  iovec pieces[3 * kMost];
  size_t taken = 0;
  for (; taken < std::min(count, kMost) && before + bytes < options_.segment_bytes; ++taken) {
    const RecordsBlock& block = blocks[taken];
    headers[taken] = MakeBlockHeader(format::BlockKind::kRecords, block.head_bytes(), block.body);
    const std::string_view header(reinterpret_cast<const char*>(&headers[taken]),
                                  sizeof(headers[taken]));
    size_t piece = 3 * taken;
    for (const std::string_view part : {header, block.head_bytes(), block.body}) {
      pieces[piece++] = {const_cast<char*>(part.data()), part.size()};
      bytes += part.size();
    }
    static_assert(sizeof(block.head) % 8 == 0);  // as are records, so that there is no padding
    spans += block.spans;
  }
  if (taken == 0 || !WritePieces(pieces, 3 * taken) || !KeepReserve(before)) return 0;
  segments_.back().spans += spans;
  begin_ = format::Position(segments_.back().index, before);
  end_ = format::Position(segments_.back().index, segments_.back().bytes);
  for (size_t i = 0; i < taken; ++i) {
    beginning_.RememberRecords(blocks[i].head_bytes(), blocks[i].body);
  }
  return taken;
}

bool SegmentWriter::Refused(std::string_view head, std::string_view body, uint64_t spans) {
  begin_ = end_ = 0;
  refused_spans_ += spans;
  beginning_.RememberRecords(head, body);
  return false;
}

bool SegmentWriter::Store(format::BlockKind kind, std::string_view head, std::string_view body,
                          uint64_t spans, bool in_beginning) {
  if (!EnsureOpen()) return false;
  if (segments_.back().bytes >= options_.segment_bytes) {
    if (!OpenNext()) return false;
    KeepToLimit();
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    // Also one whose beginning found no room at the time.
    const bool is_new = segments_.back().bytes == 0;
    if (is_new) {
      if (!WriteBeginning()) return false;
      modules_missing_ = false;
    }
    const bool is_there = is_new && in_beginning;
    const bool has_modules = is_there || WriteMissingModules(kind);
    begin_ = format::Position(segments_.back().index, segments_.back().bytes);
    if (is_there || (has_modules && WriteBlock(kind, head, body))) {
      segments_.back().spans += spans;
      end_ = format::Position(segments_.back().index, segments_.back().bytes);
      return true;
    }
    begin_ = 0;
    // RLIMIT_FSIZE holds for a file, so the next one has room.
    if (last_error_ != EFBIG || is_new || !OpenNext()) return false;
    KeepToLimit();
  }
  return false;
}

void SegmentWriter::KeepToLimit() {
  const uint64_t others = OtherProcessesBytes();
  // The segment being filled counts as full, so that the limit holds until the next time.
  while (segments_.size() > 1 &&
         others + own_bytes_ + options_.segment_bytes > options_.max_run_bytes) {
    const Segment& oldest = segments_.front();
    const int failed = unlinkat(Folder(), NameOf(oldest.index).c_str(), 0);
    if (failed != 0 && errno != ENOENT) return;
    (failed == 0 ? removed_spans_ : deleted_spans_) += oldest.spans;
    own_bytes_ -= oldest.bytes;
    segments_.pop_front();
  }
}

uint64_t SegmentWriter::OtherProcessesBytes() {
  uint64_t bytes = 0;
  const int opened = openat(Folder(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = opened >= 0 ? fdopendir(opened) : nullptr;
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

uint64_t SegmentWriter::FindDeletedSpans() {
  const int folder = Folder();
  for (Segment& segment : segments_) {
    if (folder >= 0 && faccessat(folder, NameOf(segment.index).c_str(), F_OK, 0) == 0) continue;
    if (folder >= 0 && errno != ENOENT) continue;
    deleted_spans_ += segment.spans;
    segment.spans = 0;
  }
  return deleted_spans_;
}

void SegmentWriter::Close(uint64_t) {
  if (!segments_.empty() && reserved_to_ > segments_.back().bytes) CutOffAt(segments_.back().bytes);
  file_.Close();
}

void SegmentWriter::WriteBeside(const std::string& suffix, std::string_view text) {
  const std::string name = stem_.substr(options_.folder.size() + 1) + suffix;
  unlinkat(Folder(), name.c_str(), 0);
  const int file = MakePrivateFile(Folder(), name, O_WRONLY);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = WriteWithoutSignal(file, text);
  close(file);
}

}  // namespace autotrace
