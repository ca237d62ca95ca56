// Writes blocks to a run's folder: one process's segment files, each readable alone.
//
// A segment starts with the process, module and function blocks known so far, and the threads that
// live. When the run is larger than its limit, this process's oldest segments go and their spans
// are counted. Writes are write(2), never a mapping, so a full disk is an error code and not a
// signal, on any thread. Some room is kept back on the disk, so that the end of a recording that
// filled it, with the count of what is missing, can still be written. Descriptors are checked
// before use (see own_descriptor.h); the folder is held open, so that chroot(2) and chdir(2) change
// nothing.
//
// A process holds a shared flock(2) on its latest segment: other processes see that it lives, also
// from other PID namespaces.
// Background thread only, after the constructor.
#ifndef AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_
#define AUTOTRACE_RUNTIME_SEGMENT_WRITER_H_

#include <stdint.h>

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "runtime/block_sink.h"
#include "runtime/own_descriptor.h"

namespace autotrace {

class SegmentWriter final : public BlockSink {
 public:
  struct Options {
    std::string folder;  // of the run; exists
    uint64_t process_key = 0;
    uint64_t max_run_bytes = uint64_t{1} << 30;
    uint64_t segment_bytes = uint64_t{64} << 20;
  };

  // Opens the first segment. See error() for why it failed.
  explicit SegmentWriter(const Options& options);
  ~SegmentWriter() override;

  bool Block(format::BlockKind kind, std::string_view head, std::string_view body,
             uint64_t spans) override;
  uint64_t Room() const override;
  bool Flush(uint64_t timeout_nanos) override;
  void Close(uint64_t timeout_nanos) override;

  bool ok() const { return error_ == 0; }
  int error() const { return error_; }  // errno of the first failure
  // Spans in segments that were removed to keep to the limit.
  uint64_t removed_spans() const { return removed_spans_; }
  // Looks for segments that somebody else removed; how many spans were in those so far.
  uint64_t FindDeletedSpans();
  // Makes "<stem><suffix>" anew, private to the user; silently left out where it cannot be written.
  void WriteBeside(const std::string& suffix, std::string_view text);
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
  // The header and what every segment repeats.
  bool WriteBeginning();
  void AddToBeginning(format::BlockKind kind, std::string_view payload);
  std::string Preamble() const;
  bool RememberForPreamble(format::BlockKind kind, std::string_view head, std::string_view body);
  bool EnsureOpen();
  bool Write(std::string_view head, std::string_view body, std::string_view tail);
  bool WriteBlock(format::BlockKind kind, std::string_view head, std::string_view body);
  // Sets room aside behind the segment's end. False when the disk has none.
  bool Reserve();
  void CutOffAt(uint64_t bytes);
  void KeepToLimit();
  uint64_t OtherProcessesBytes();

  Options options_;
  std::string stem_;
  // Blocks that every segment starts with. Of modules that come and go again and again only the
  // last coming and the last going, or segments would in the end hold nothing else.
  std::string preamble_;
  struct ModuleBlocks {
    std::string loaded;
    std::string unloaded;
  };
  std::map<uint32_t, ModuleBlocks> modules_;  // by id
  std::map<uint32_t, std::string> threads_;   // kThread blocks of those that live, by index
  std::string clock_;                         // the latest kClock block, with which it ends
  std::deque<Segment> segments_;
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
