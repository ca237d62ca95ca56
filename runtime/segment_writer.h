// Writes blocks to a run's folder: one process's segment files, each readable alone.
//
// What a segment starts with is segment_beginning.h's. When the run is larger than its limit, this
// process's oldest segments go and their spans are counted. Writes are write(2), never a mapping,
// so a full disk is an error code and not a signal, on any thread. Some room is kept back on the
// disk, so that the end of a recording that filled it, with the count of what is missing, can still
// be written. Descriptors are checked before use (see own_descriptor.h); the folder is held open,
// so that chroot(2) and chdir(2) change nothing.
//
// A *spool* is there to be sent: it makes no file before there are records, and what was sent is
// removed.
//
// A process holds a shared flock(2) on its latest segment: other processes see that it lives, also
// from other PID namespaces.
// Background thread only, after the constructor.
#ifndef AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_
#define AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_

#include <stdint.h>
#include <sys/uio.h>

#include <deque>
#include <string>
#include <string_view>

#include "runtime/block_sink.h"
#include "runtime/own_descriptor.h"
#include "runtime/segment_beginning.h"
#include "runtime/sent_file.h"

namespace autotrace {

class SegmentWriter final : public BlockSink {
 public:
  struct Options {
    std::string folder;  // of the run; exists
    uint64_t process_key = 0;
    uint64_t max_run_bytes = uint64_t{1} << 30;
    uint64_t segment_bytes = uint64_t{64} << 20;
    bool is_spool = false;
    // While the disk has plenty of room, nothing is kept back before KeepRoom. (Giving it back
    // costs a short program more than all that it writes.)
    bool keep_room_later = false;
    // What says how far everything was sent; made with the first segment. Null: nothing is sent.
    SentFile* sent = nullptr;
  };

  // Opens the first segment, unless it is a spool's. See error() for why it failed.
  explicit SegmentWriter(const Options& options);
  ~SegmentWriter() override;

  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override;
  size_t RecordsAtOnce(const RecordsBlock* blocks, size_t count) override;
  uint64_t Room() const override;
  bool Refused(std::string_view head, std::string_view body, uint64_t spans) override;
  void PassEnded() override { beginning_.EndPass(); }
  void KeepRoom();
  bool Flush(uint64_t timeout_nanos) override;
  void Close(uint64_t timeout_nanos) override;

  bool ok() const { return error_ == 0; }
  int error() const { return error_; }            // errno of the first failure
  int last_error() const { return last_error_; }  // of the latest
  // Spans in segments that were removed to keep to the limit.
  uint64_t removed_spans() const { return removed_spans_; }
  // Looks for segments that somebody else removed; how many spans were in those so far.
  uint64_t FindDeletedSpans();
  // Makes "<stem><suffix>" anew, private to the user; silently left out where it cannot be written.
  void WriteBeside(const std::string& suffix, std::string_view text);
  // Begins a spool that has no file yet, because calls are open that are to be known after a kill.
  bool Begin();
  bool has_segments() const { return !segments_.empty(); }
  // Where the last block stands; both 0 when it is in no file. See format::Position.
  uint64_t block_begin() const { return begin_; }
  uint64_t block_end() const { return end_; }
  // Removes segments that lie wholly before this place, but the last.
  void RemoveBefore(uint64_t position);
  // Removes everything. The next records begin a new file.
  void RemoveAll();
  // Spans that are in the files and were not sent.
  uint64_t SpansAfter(const SentState& sent);
  // Have spans that were handed in gone missing from the files?
  bool HasLost() { return removed_spans_ + refused_spans_ + FindDeletedSpans() > 0; }
  // Nothing that is open began before, nor will anything that ends be of an earlier time.
  void ForgetClockBefore(uint64_t ticks) { beginning_.ForgetClockBefore(ticks); }

  // In a forked child: gives back the descriptors, which are the parent's.
  void CloseInChild();
  // "<folder>/<pid>-<key>", to which suffixes are added.
  const std::string& stem() const { return stem_; }

 private:
  struct Segment {
    uint32_t index;
    uint64_t bytes;
    uint64_t spans;
  };

  std::string NameOf(uint32_t index) const;
  // For openat(2): the folder's descriptor, opened again when the program closed it.
  int Folder();
  bool OpenNext();
  bool MakeSentFile();
  uint64_t SpansInFile(const std::string& name, uint64_t offset);
  // The header and what every segment repeats.
  bool WriteBeginning();
  bool WriteMissingModules(format::BlockKind next);
  // Takes back what was written since then when it used up the room that is kept back.
  bool KeepReserve(uint64_t before);
  bool EnsureOpen();
  // `in_beginning`: the beginning of a segment holds it.
  bool Store(format::BlockKind kind, std::string_view head, std::string_view body, uint64_t spans,
             bool in_beginning);
  bool Write(std::string_view head, std::string_view body, std::string_view tail);
  // All of it, or nothing.
  bool WritePieces(iovec* pieces, size_t count);
  bool WriteBlock(format::BlockKind kind, std::string_view head, std::string_view body);
  // Sets room aside behind the segment's end. False when the disk has none.
  bool Reserve();
  bool HasPlentyOfRoom() const;
  void CutOffAt(uint64_t bytes);
  void KeepToLimit();
  uint64_t OtherProcessesBytes();

  Options options_;
  std::string stem_;
  SegmentBeginning beginning_;
  bool modules_missing_ = false;  // a block about one found no room
  std::deque<Segment> segments_;
  uint32_t next_index_ = 0;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  uint64_t refused_spans_ = 0;
  uint64_t own_bytes_ = 0;
  uint64_t removed_spans_ = 0;
  uint64_t deleted_spans_ = 0;
  uint64_t reserve_ = 0;      // bytes kept back on the disk
  uint64_t reserved_to_ = 0;  // of the current segment
  OwnDescriptor folder_;
  OwnDescriptor file_;
  int error_ = 0;
  int last_error_ = 0;  // of the latest attempt
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_
